using System.Buffers;
using System.Buffers.Text;

namespace NanoFold.Engine.Text;

/// <summary>Finds a tokenizer's file and reads it by what is in it.</summary>
internal static class TokenizerFiles
{
    // Larger than any real vocabulary's file; what is beyond is not read into memory.
    private const long LargestFile = 256L << 20;
    private const int LongestPiece = 128;

    private static readonly string[] s_names = [Tokenizer.FileName, "tokenizer.model", MergesFile.VocabName, "tokenizer.bin"];
    private static readonly SearchValues<byte> s_digits = SearchValues.Create("0123456789"u8);

    /// <exception cref="UserException">The file is missing, damaged, or of a kind that is not supported.</exception>
    public static Tokenizer Load(string path)
    {
        try
        {
            string file = Directory.Exists(path) ? FileIn(path) : path;
            Tokenizer tokenizer = Parse(Read(file), file);
            return tokenizer is PipelineTokenizer pipeline && Path.GetFileName(file) == Tokenizer.FileName
                ? TokenizerConfigFile.Apply(pipeline, Path.GetDirectoryName(Path.GetFullPath(file))!)
                : tokenizer;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    /// <summary>A whole file of bounded size.</summary>
    public static byte[] Read(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists)
        {
            throw new UserException($"{path}: there is no such tokenizer file");
        }

        return file.Length <= LargestFile
            ? File.ReadAllBytes(path)
            : throw new UserException($"{path}: {file.Length} bytes are too many for a tokenizer ({LargestFile} at most)");
    }

    /// <param name="bytes">Of the file.</param>
    /// <param name="name">Where it is, for messages and for the files that belong to it.</param>
    public static Tokenizer Parse(byte[] bytes, string name)
    {
        ReadOnlySpan<byte> text = bytes.AsSpan().TrimStart("\uFEFF \t\r\n"u8);
        try
        {
            return text switch
            {
                [(byte)'{', ..] when MergesFile.IsVocab(bytes, name) => MergesFile.Load(name),
                [] or [(byte)'{', ..] or [(byte)'[', ..] => TokenizerJson.Parse(bytes, name),
                _ when text.StartsWith("#version"u8) || Path.GetFileName(name) == MergesFile.MergesName => MergesFile.Load(name),
                _ when Llama2CFile.Is(bytes) => new SentencePieceTokenizer(Llama2CFile.Read(bytes)),
                _ when IsSentencePiece(bytes) => new SentencePieceTokenizer(SentencePieceFile.Read(bytes)),
                _ when IsTiktoken(text) => TiktokenFile.Load(bytes, name),
                [0x50, 0x4B, ..] or [0x1F, 0x8B, ..] => throw new UserException($"{name}: is a compressed file; unpack it"),
                _ => TokenizerJson.Parse(bytes, name),
            };
        }
        catch (FormatException e)
        {
            throw new UserException($"{name}: cannot be used as a tokenizer: {TokenizerJson.Shorten(e.Message)}", e);
        }
    }

    /// <summary>The tokenizer's file of a folder; where it has none, the name that it would have.</summary>
    public static string FileIn(string folder)
    {
        foreach (string name in s_names)
        {
            if (File.Exists(Path.Combine(folder, name)))
            {
                return Path.Combine(folder, name);
            }
        }

        string[] ranks = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.tiktoken") : [];
        return ranks.Length == 1 ? ranks[0] : Path.Combine(folder, Tokenizer.FileName);
    }

    // A message of protocol buffers whose first field is a piece: tag 0x0A, its length, then its text, tag 0x0A and length again.
    private static bool IsSentencePiece(ReadOnlySpan<byte> bytes)
        => bytes is [0x0A, < LongestPiece, 0x0A, < LongestPiece, ..] && bytes[3] < bytes[1];

    // "IQ== 0": a token in base64 and its rank, a line each.
    private static bool IsTiktoken(ReadOnlySpan<byte> text)
    {
        int end = text.IndexOfAny((byte)'\n', (byte)'\r');
        ReadOnlySpan<byte> line = end < 0 ? text : text[..end];
        int space = line.IndexOf((byte)' ');
        return space > 0 && Base64.IsValid(line[..space]) && line[(space + 1)..] is [_, ..] rank && rank.IndexOfAnyExcept(s_digits) < 0;
    }
}
