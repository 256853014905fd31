using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NanoFold.Engine.Checkpoints;

namespace NanoFold.Engine.Interchange.Gguf.Blocks;

/// <summary>Reads elements out of rows of blocks.</summary>
internal static class BlockRows
{
    private const int PieceBytes = 1 << 16, StackBytes = 1 << 10, MostValues = 256;

    /// <summary>Reads the elements from <paramref name="start"/> on, which may lie within blocks.</summary>
    /// <param name="handle">Of the file.</param>
    /// <param name="type">Of the tensor.</param>
    /// <param name="offset">Where its first block lies.</param>
    /// <param name="start">The first element.</param>
    /// <param name="destination">As many as are wanted.</param>
    /// <exception cref="FormatException">The file ended early.</exception>
    public static void Read(SafeFileHandle handle, BlockType type, long offset, long start, Span<float> destination)
    {
        if (destination.IsEmpty)
        {
            return;
        }

        long first = start / type.Values, last = (start + destination.Length - 1) / type.Values;
        int skip = (int)(start - (first * type.Values)), perPiece = Math.Max(1, PieceBytes / type.Bytes);
        int room = (int)Math.Min(perPiece, last - first + 1) * type.Bytes;
        Span<byte> bytes = room <= StackBytes ? stackalloc byte[StackBytes] : new byte[room];
        Span<float> values = stackalloc float[MostValues];
        values = values[..type.Values];
        for (long block = first; block <= last; block += perPiece)
        {
            Span<byte> piece = bytes[..((int)Math.Min(perPiece, last - block + 1) * type.Bytes)];
            ReadFully(handle, offset + (block * type.Bytes), piece);
            if (type.Stored is { } stored)
            {
                Span<float> whole = destination[..(piece.Length / type.Bytes)];
                if (stored == SafeTensorType.F32 && BitConverter.IsLittleEndian)
                {
                    piece.CopyTo(MemoryMarshal.AsBytes(whole));
                }
                else
                {
                    SafeTensorConversion.Convert(stored, piece, whole);
                }

                destination = destination[whole.Length..];
                continue;
            }

            for (ReadOnlySpan<byte> rest = piece; rest.Length > 0; rest = rest[type.Bytes..])
            {
                if (skip == 0 && destination.Length >= type.Values)
                {
                    type.Decode!(rest[..type.Bytes], destination[..type.Values]);
                    destination = destination[type.Values..];
                    continue;
                }

                type.Decode!(rest[..type.Bytes], values);
                ReadOnlySpan<float> wanted = values[skip..Math.Min(values.Length, skip + destination.Length)];
                wanted.CopyTo(destination);
                destination = destination[wanted.Length..];
                skip = 0;
            }
        }
    }

    private static void ReadFully(SafeFileHandle handle, long offset, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            int count = RandomAccess.Read(handle, destination, offset);
            if (count == 0)
            {
                throw new FormatException("the file became shorter while it was in use");
            }

            offset += count;
            destination = destination[count..];
        }
    }
}
