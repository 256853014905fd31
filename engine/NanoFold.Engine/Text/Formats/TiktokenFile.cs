using System.Buffers.Text;
using System.Globalization;
using System.Numerics.Tensors;
using System.Text;
using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>
/// tiktoken's ranks: a token's bytes in base64 and its id, a line each. The expression that cuts texts and the special tokens are not in the file: they come from an <c>encoding.json</c> beside it
/// (<c>pat_str</c>, <c>special_tokens</c>), or are known by the file's name (<c>cl100k_base.tiktoken</c>; Llama 3's <c>tokenizer.model</c>).
/// </summary>
internal static class TiktokenFile
{
    private const int LongestToken = 1024;
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
        Dictionary<byte[], int> ids = IdsOf(tokens, path, out int[] bytes);
        List<BpeMerge> merges = Merges(tokens, ids, path);
        return new PipelineTokenizer(new Pipeline
        {
            Kind = "tiktoken",
            Tokens = names,
            Added = added,
            FirstAdded = true,
            Stages = [new PatternStage(cutter, SplitBehavior.Isolated, invert: false), new ByteBpeStage(bytes, ids)],
            Merges = new MergeTable(merges),
            Decoders = [new ByteLevelDecoder()],
            Bos = IdOf(specials, "<|begin_of_text|>", "<|endoftext|>"),
            Eos = IdOf(specials, "<|end_of_text|>", "<|endoftext|>"),
            Source = () => OwnForm.OfTiktoken(tokens, merges, pattern, specials),
        });
    }

    private static int? IdOf(IReadOnlyDictionary<string, int> specials, params string[] names) =>
        names.Where(specials.ContainsKey).Select(name => (int?)specials[name]).FirstOrDefault();

    private static Dictionary<byte[], int> IdsOf(byte[][] tokens, string path, out int[] bytes)
    {
        var ids = new Dictionary<byte[], int>(tokens.Length, WordComparer.Instance);
        bytes = new int[256];
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
        return missing < 0 ? ids : throw new UserException($"{path}: lacks the byte {missing}, so it cannot write every text");
    }

    // Any two tokens whose join is a token merge, those of the lowest rank first. What becomes neighbors does not depend on what stands around them, so only one way to
    // make a token is ever gone: the last step of merging its own bytes.
    private static List<BpeMerge> Merges(byte[][] tokens, Dictionary<byte[], int> ids, string path)
    {
        var merges = new List<BpeMerge>(tokens.Length);
        Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> lookup = ids.GetAlternateLookup<ReadOnlySpan<byte>>();
        for (int id = 0; id < tokens.Length; id++)
        {
            if (tokens[id].Length > LongestToken)
            {
                throw new UserException($"{path}: the token of rank {id} has {tokens[id].Length} bytes; {LongestToken} at most are supported");
            }

            if (tokens[id].Length > 1 && LastMerge(tokens[id], id, lookup) is { } merge)
            {
                merges.Add(merge);
            }
        }

        return merges;
    }

    private static BpeMerge? LastMerge(ReadOnlySpan<byte> token, int id, Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> ids)
    {
        // Where parts begin, the end of the last one too, and the rank of each with the next.
        Span<int> starts = stackalloc int[LongestToken + 1], ranks = stackalloc int[LongestToken];
        int count = token.Length;
        for (int i = 0; i <= count; i++)
        {
            starts[i] = i;
        }

        for (int i = 0; i + 1 < count; i++)
        {
            ranks[i] = RankAt(token, starts, i);
        }

        while (count > 2)
        {
            ReadOnlySpan<int> known = ranks[..(count - 1)];
            int rank = TensorPrimitives.Min(known);
            int best = known.IndexOf(rank);
            if (rank == MergeTable.None)
            {
                return null;
            }

            starts[(best + 2)..(token.Length + 1)].CopyTo(starts[(best + 1)..]);
            ranks[(best + 1)..(count - 1)].CopyTo(ranks[best..]);
            count--;
            if (best > 0)
            {
                ranks[best - 1] = RankAt(token, starts, best - 1);
            }

            if (best + 1 < count)
            {
                ranks[best] = RankAt(token, starts, best);
            }
        }

        return new BpeMerge(ids[token[..starts[1]]], ids[token[starts[1]..]], id);

        int RankAt(ReadOnlySpan<byte> token, ReadOnlySpan<int> starts, int part) =>
            ids.TryGetValue(token[starts[part]..starts[part + 2]], out int rank) && rank != id ? rank : MergeTable.None;
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
