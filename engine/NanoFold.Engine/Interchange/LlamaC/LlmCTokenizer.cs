using NanoFold.Engine.Text;

namespace NanoFold.Engine.Interchange.LlamaC;

/// <summary>
/// llm.c's <c>gpt2_tokenizer.bin</c>: a head of 256 numbers (magic, version, tokens, the end of a document), then of each token its length in a byte and its bytes. Merges are not in
/// it: GPT-2's tokens stand in their order, as ranks.
/// </summary>
internal static class LlmCTokenizer
{
    private const string FileName = "gpt2_tokenizer.bin", EndOfText = "<|endoftext|>";
    private const int Magic = 20240328, Start = BinaryHead.Most * sizeof(int);
    private const int UsualEnd = 50256;
    private const long LargestFile = 64L << 20;

    /// <summary>The tokenizer in the folder of a model, where its tokens are as many as the model's; otherwise null.</summary>
    /// <exception cref="UserException">It is damaged.</exception>
    public static Tokenizer? Beside(string path, int vocab)
    {
        string file = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, FileName);
        if (BinaryHead.Peek(file) is not { Numbers: { Length: BinaryHead.Most } head, Length: <= LargestFile } || head[0] != Magic || head[2] != vocab)
        {
            return null;
        }

        byte[] bytes = TokenizerFiles.Read(file);
        int end = head[1] >= 2 ? head[3] : Math.Min(UsualEnd, vocab - 1), at = Start;
        List<byte[]> tokens = [];
        while (tokens.Count < vocab)
        {
            int length = at < bytes.Length ? bytes[at] : 0;
            if (length == 0 || length > bytes.Length - at - 1)
            {
                throw new UserException($"{file}: ends within token {tokens.Count} of {vocab}");
            }

            tokens.Add(bytes[(at + 1)..(at + 1 + length)]);
            at += 1 + length;
        }

        if (end < 0 || end >= vocab)
        {
            throw new UserException($"{file}: the end of a document is token {end} of {vocab}");
        }

        tokens[end] = [];
        return TiktokenFile.Build([.. tokens], StageReader.Gpt2, new Dictionary<string, int> { [EndOfText] = end }, file);
    }
}
