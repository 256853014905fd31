using System.Diagnostics.CodeAnalysis;

namespace NanoFold.Engine.Text;

/// <summary>
/// The one-to-one map between bytes and printable characters in which byte-level BPE vocabularies are written: printable
/// Latin-1 characters stand for themselves, the other 68 bytes for U+0100 onwards in order (space is 'Ġ').
/// Source: GPT-2 (Radford et al., 2019).
/// </summary>
public static class ByteUnicode
{
    private const int Highest = 0x143;
    private static readonly char[] s_chars = BuildChars();
    private static readonly short[] s_bytes = BuildBytes();

    /// <summary>The character that stands for <paramref name="value"/>.</summary>
    public static char CharOf(byte value) => s_chars[value];

    /// <summary>The symbol that stands for <paramref name="bytes"/>: one character each.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes)
    {
        char[] symbol = new char[bytes.Length];
        for (int i = 0; i < symbol.Length; i++)
        {
            symbol[i] = s_chars[bytes[i]];
        }

        return new string(symbol);
    }

    /// <summary>The bytes that a symbol stands for, or false if a character of it stands for no byte.</summary>
    public static bool TryDecode(string symbol, [NotNullWhen(true)] out byte[]? bytes)
    {
        byte[] result = new byte[symbol.Length];
        for (int i = 0; i < result.Length; i++)
        {
            short value = symbol[i] <= Highest ? s_bytes[symbol[i]] : (short)-1;
            if (value < 0)
            {
                bytes = null;
                return false;
            }

            result[i] = (byte)value;
        }

        bytes = result;
        return true;
    }

    private static char[] BuildChars()
    {
        char[] chars = new char[256];
        int next = 256;
        for (int value = 0; value < 256; value++)
        {
            bool printable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            chars[value] = (char)(printable ? value : next++);
        }

        return chars;
    }

    private static short[] BuildBytes()
    {
        short[] bytes = new short[Highest + 1];
        Array.Fill(bytes, (short)-1);
        for (int value = 0; value < 256; value++)
        {
            bytes[s_chars[value]] = (short)value;
        }

        return bytes;
    }
}
