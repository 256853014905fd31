using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>
/// tiktoken's ranks: a token's bytes in base64 and its id, a line each. The expression that cuts texts and the special tokens are not in the file: they come from an <c>encoding.json</c> beside it
/// (<c>pat_str</c>, <c>special_tokens</c>), or are known by the file's name (<c>cl100k_base.tiktoken</c>; Llama 3's <c>tokenizer.model</c>).
/// </summary>
internal static class TiktokenFile
{
    private const string Cl100k = @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s";
    private const string Llama3 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>How GPT-4o cuts texts.</summary>
    public const string O200k = @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
        + @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
        + @"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly string[] s_llama3Names =
    [
        "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>", "<|finetune_right_pad_id|>", "<|step_id|>",
        "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>",
    ];

    public static Tokenizer Load(byte[] ranks, string path)
    {
        string encoding = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, "encoding.json");
        byte[][] tokens = ReadRanks(ranks, path);
        (string pattern, Dictionary<string, int> specials) = File.Exists(encoding) ? ReadEncoding(encoding) : Known(path, tokens.Length);
        return Build(tokens, pattern, specials, path);
    }

    /// <param name="tokens">The bytes of each id; empty where one is not used.</param>
    /// <param name="pattern">Cuts texts.</param>
    /// <param name="specials">Names and ids.</param>
    /// <param name="path">For messages.</param>
    public static Tokenizer Build(byte[][] tokens, string pattern, IReadOnlyDictionary<string, int> specials, string path)
    {
        Pattern cutter;
        try
        {
            cutter = Pattern.Of(pattern, PatternDialect.Rust);
        }
        catch (UserException e)
        {
            throw new UserException($"{path}: {e.Message}", e);
        }

        int most = Math.Max(tokens.Length - 1, specials.Values.DefaultIfEmpty(-1).Max());
        if (most > (2L * (tokens.Length + specials.Count)) + (1 << 16))
        {
            throw new UserException($"{path}: the id {most} leaves a hole: there are {tokens.Length + specials.Count} tokens");
        }

        string?[] names = new string?[most + 1];
        for (int id = 0; id < tokens.Length; id++)
        {
            names[id] = tokens[id].Length > 0 ? ByteUnicode.Encode(tokens[id]) : null;
        }

        foreach ((string name, int id) in specials)
        {
            names[id] = names[id] is null ? name : throw new UserException($"{path}: the id {id} of '{name}' is used twice");
        }

        AddedToken[] added = [.. specials.Select(special => new AddedToken(special.Value, special.Key) { Special = true })];
        (List<BpeMerge> merges, List<int> ranks, int[] bytes, Dictionary<byte[], int> whole) = Merges(tokens, path);
        return new PipelineTokenizer(new Pipeline
        {
            Kind = "tiktoken",
            Tokens = names,
            Added = added,
            FirstAdded = true,
            Stages = [new PatternStage(cutter, SplitBehavior.Isolated, invert: false), new ByteBpeStage(bytes, whole)],
            Merges = new MergeTable(merges, ranks),
            Decoders = [new ByteLevelDecoder()],
            Bos = IdOf(specials, "<|begin_of_text|>", "<|endoftext|>"),
            Eos = IdOf(specials, "<|end_of_text|>", "<|endoftext|>"),
            Source = () => OwnForm.OfTiktoken(tokens, pattern, specials),
        });
    }

    private static int? IdOf(IReadOnlyDictionary<string, int> specials, params string[] names) =>
        names.Where(specials.ContainsKey).Select(name => (int?)specials[name]).FirstOrDefault();

    // Any two tokens whose join is a token merge, those of the lowest rank first.
    private static (List<BpeMerge> Merges, List<int> Ranks, int[] Bytes, Dictionary<byte[], int> Whole) Merges(byte[][] tokens, string path)
    {
        var ids = new Dictionary<byte[], int>(WordComparer.Instance);
        int[] bytes = new int[256];
        Array.Fill(bytes, -1);
        for (int id = 0; id < tokens.Length; id++)
        {
            if (tokens[id].Length > 0 && !ids.TryAdd(tokens[id], id))
            {
                throw new UserException($"{path}: has the token of rank {id} twice");
            }

            if (tokens[id].Length == 1)
            {
                bytes[tokens[id][0]] = id;
            }
        }

        int missing = Array.IndexOf(bytes, -1);
        if (missing >= 0)
        {
            throw new UserException($"{path}: lacks the byte {missing}, so it cannot write every text");
        }

        var merges = new List<BpeMerge>();
        var ranks = new List<int>();
        Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> lookup = ids.GetAlternateLookup<ReadOnlySpan<byte>>();
        int rank = 0;
        for (int id = 0; id < tokens.Length; id++)
        {
            ReadOnlySpan<byte> token = tokens[id];
            int before = merges.Count;
            for (int at = 1; at < token.Length; at++)
            {
                if (lookup.TryGetValue(token[..at], out int left) && lookup.TryGetValue(token[at..], out int right))
                {
                    merges.Add(new BpeMerge(left, right, id));
                    ranks.Add(rank);
                }
            }

            rank += merges.Count > before ? 1 : 0;
        }

        return (merges, ranks, bytes, ids);
    }

    private static byte[][] ReadRanks(byte[] file, string path)
    {
        var tokens = new List<byte[]>();
        int number = 0;
        foreach (string line in Encoding.ASCII.GetString(file).Split('\n').Select(line => line.TrimEnd('\r')))
        {
            number++;
            if (line.Length == 0)
            {
                continue;
            }

            int space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space <= 0 || !Base64.IsValid(line.AsSpan(0, space))
                || !int.TryParse(line.AsSpan(space + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int rank))
            {
                throw new UserException($"{path}: line {number} is not a token in base64 and its rank");
            }

            if (rank > tokens.Count + (1 << 16))
            {
                throw new UserException($"{path}: line {number}: the rank {rank} leaves a hole");
            }

            while (tokens.Count <= rank)
            {
                tokens.Add([]);
            }

            if (tokens[rank].Length > 0)
            {
                throw new UserException($"{path}: line {number}: the rank {rank} is used twice");
            }

            tokens[rank] = Convert.FromBase64String(line[..space]);
        }

        return [.. tokens];
    }

    private static (string Pattern, Dictionary<string, int> Specials) ReadEncoding(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(TokenizerFiles.Read(path));
            return OwnForm.ReadEncoding(document.RootElement, new JsonFields(path));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new UserException($"{path}: not valid JSON: {TokenizerJson.Shorten(e.Message)}", e);
        }
    }

    private static (string Pattern, Dictionary<string, int> Specials) Known(string path, int count)
    {
        string name = Path.GetFileNameWithoutExtension(path);
        return name switch
        {
            "cl100k_base" => (Cl100k, new() { ["<|endoftext|>"] = 100257, ["<|fim_prefix|>"] = 100258, ["<|fim_middle|>"] = 100259, ["<|fim_suffix|>"] = 100260, ["<|endofprompt|>"] = 100276 }),
            "o200k_base" => (O200k, new() { ["<|endoftext|>"] = 199999, ["<|endofprompt|>"] = 200018 }),
            "r50k_base" or "gpt2" => (StageReader.Gpt2, new() { ["<|endoftext|>"] = 50256 }),
            "p50k_base" => (StageReader.Gpt2, new() { ["<|endoftext|>"] = 50256 }),
            "qwen" => (Llama3.Replace("{1,3}", "", StringComparison.Ordinal), new() { ["<|endoftext|>"] = count, ["<|im_start|>"] = count + 1, ["<|im_end|>"] = count + 2 }),
            "tokenizer" => (Llama3, Enumerable.Range(0, 256).ToDictionary(
                i => i < s_llama3Names.Length ? s_llama3Names[i] : $"<|reserved_special_token_{i - 9}|>", i => count + i)),
            _ => throw new UserException(
                $"{path}: tiktoken's ranks do not say how texts are cut; put an encoding.json beside it with pat_str and special_tokens, or name the file after its encoding, such as cl100k_base.tiktoken"),
        };
    }
}
