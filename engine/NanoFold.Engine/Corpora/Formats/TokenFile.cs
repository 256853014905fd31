using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace NanoFold.Engine.Corpora.Formats;

/// <summary>
/// A file that holds tokens in place of text, called <c>.bin</c>: a shard of llm.c (https://github.com/karpathy/llm.c: 256 numbers of 32 bits, of which the first are magic, version and
/// count, then tokens of 16 or 32 bits) or of nanoGPT (https://github.com/karpathy/nanoGPT: tokens of 16 bits and nothing else).
/// </summary>
/// <param name="File">Where it is.</param>
/// <param name="Program">That wrote it.</param>
/// <param name="Start">Where its first token lies.</param>
/// <param name="Width">Bytes of a token.</param>
/// <param name="Count">Tokens.</param>
internal sealed record TokenFile(SourceFile File, string Program, int Start, int Width, long Count)
{
    private const string Ending = ".bin";
    private const int HeadBytes = 1024, Magic16 = 20240520, Version16 = 1, Magic32 = 20240801, Version32 = 7;

    // Among so many tokens of 16 bits one has a byte that is 0, which no text has.
    private const int LookedAt = 1 << 16;

    /// <summary>What the files of a path are, where all that are not empty hold tokens; otherwise null.</summary>
    /// <exception cref="UserException">One is damaged.</exception>
    public static IReadOnlyList<TokenFile>? Of(FoundFiles found)
    {
        SourceFile[] files = [.. found.Files.Where(file => file.IsStream || file.Bytes > 0)];
        if (files.Length == 0 || !Array.TrueForAll(files, file => !file.IsStream && file.Name.EndsWith(Ending, StringComparison.OrdinalIgnoreCase)))
        {
            return null;
        }

        TokenFile?[] tokens = Array.ConvertAll(files, Of);
        return tokens.Any(file => file is null) ? null : [.. tokens.OfType<TokenFile>()];
    }

    /// <summary>Reads tokens one after the other.</summary>
    /// <param name="from">The first.</param>
    /// <param name="count">How many.</param>
    /// <param name="vocab">Tokens are in [0, vocab).</param>
    /// <param name="each">Gets a piece of them.</param>
    /// <exception cref="UserException">The file cannot be read, or holds a token that there is not.</exception>
    public void Read(long from, long count, int vocab, Action<ReadOnlySpan<int>> each)
    {
        byte[] bytes = new byte[LookedAt];
        int[] tokens = new int[LookedAt / Width];
        try
        {
            using Stream stream = File.Open();
            stream.Position = Start + (from * Width);
            for (long done = 0; done < count;)
            {
                Span<int> piece = tokens.AsSpan(0, (int)Math.Min(tokens.Length, count - done));
                Span<byte> read = bytes.AsSpan(0, piece.Length * Width);
                stream.ReadExactly(read);
                for (int i = 0; i < piece.Length; i++)
                {
                    long token = Width == sizeof(ushort) ? BinaryPrimitives.ReadUInt16LittleEndian(read[(i * Width)..]) : BinaryPrimitives.ReadUInt32LittleEndian(read[(i * Width)..]);
                    piece[i] = token < vocab ? (int)token
                        : throw new UserException($"{File.Path}: token {token} at place {from + done + i} is none of the {vocab} of the tokenizer: the tokens are another one's, or the file is none of {Program}");
                }

                each(piece);
                done += piece.Length;
            }
        }
        catch (EndOfStreamException e)
        {
            throw new UserException($"{File.Path}: became shorter while it was read: run again", e);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", File.Path, e);
        }
    }

    private static TokenFile? Of(SourceFile file)
    {
        byte[] head = new byte[(int)Math.Min(file.Bytes, LookedAt)];
        try
        {
            using Stream stream = file.Open();
            head = head[..stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)];
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", file.Path, e);
        }

        int magic = head.Length >= sizeof(int) ? BinaryPrimitives.ReadInt32LittleEndian(head) : 0;
        if (magic is Magic16 or Magic32)
        {
            return OfLlmC(file, head, magic == Magic16 ? sizeof(ushort) : sizeof(uint), magic == Magic16 ? Version16 : Version32);
        }

        return file.Bytes % sizeof(ushort) == 0 && head.Contains((byte)0) && Signature.Foreign(head) is null && !Signature.IsGzip(head)
            ? new TokenFile(file, "nanoGPT", 0, sizeof(ushort), file.Bytes / sizeof(ushort))
            : null;
    }

    private static TokenFile OfLlmC(SourceFile file, ReadOnlySpan<byte> head, int width, int expected)
    {
        if (head.Length < HeadBytes)
        {
            throw new UserException($"{file.Path}: is not a sound shard of llm.c: it has only {file.Bytes} bytes");
        }

        ReadOnlySpan<int> numbers = MemoryMarshal.Cast<byte, int>(head[..HeadBytes]);
        (int version, int count) = (numbers[1], numbers[2]);
        if (version != expected)
        {
            throw new UserException($"{file.Path}: is a shard of llm.c of version {version}; {expected} is supported for its kind");
        }

        return count >= 0 && HeadBytes + ((long)count * width) == file.Bytes
            ? new TokenFile(file, "llm.c", HeadBytes, width, count)
            : throw new UserException($"{file.Path}: is not a sound shard of llm.c: it has {file.Bytes} bytes, and claims {count} tokens of {width}");
    }
}
