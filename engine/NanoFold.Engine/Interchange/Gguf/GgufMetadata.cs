namespace NanoFold.Engine.Interchange.Gguf;

/// <summary>The metadata of a GGUF file, read key by key: each that is asked for counts as known. Keys of the architecture are named without it.</summary>
internal sealed class GgufMetadata
{
    private const string ArchitectureKey = "general.architecture";

    // Parts of names: what only says who made the file, how it was quantized, or how to talk to it.
    private static readonly string[] s_silent = ["general.", "tokenizer.", "quantize.", "split."];

    // What an architecture may say that changes the numbers, where it is none of the values that mean nothing.
    private static readonly (string Key, double[] Neutral)[] s_changing =
    [
        ("attention.sliding_window", [0]), ("attention.max_alibi_bias", [0]), ("attention.clamp_kqv", [0]), ("attention.scale", [0]), ("attention.causal", [1]),
        ("attention.q_lora_rank", [0]), ("attention.kv_lora_rank", [0]), ("attention.temperature_length", [0]), ("attention.temperature_scale", [0]),
        ("attn_logit_softcapping", [0]), ("final_logit_softcapping", [0]), ("router_logit_softcapping", [0]),
        ("logit_scale", [0, 1]), ("embedding_scale", [0, 1]), ("residual_scale", [0, 1]), ("swin_norm", [0]), ("use_parallel_residual", [0]),
        ("expert_count", [0]), ("expert_shared_count", [0]), ("expert_group_count", [0, 1]), ("expert_weights_scale", [0, 1]), ("expert_gating_func", [0, 1]), ("leading_dense_block_count", [0]),
        ("moe_every_n_layers", [0, 1]), ("interleave_moe_layer_step", [0, 1]), ("nextn_predict_layers", [0]),
        ("rope.scaling.factor", [0, 1]), ("rope.scaling.attn_factor", [1]), ("rope.scaling.yarn_log_multiplier", [0]), ("rope.scale_linear", [0, 1]),
    ];

    private readonly Dictionary<string, GgufValue> _values;
    private readonly HashSet<string> _known = new(StringComparer.Ordinal) { ArchitectureKey };

    /// <param name="path">The file, for messages.</param>
    /// <param name="values">By their keys.</param>
    public GgufMetadata(string path, Dictionary<string, GgufValue> values)
    {
        (Path, _values) = (path, values);
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The architecture that it names.</summary>
    /// <exception cref="UserException">It names none.</exception>
    public string Architecture => Find(ArchitectureKey) is not { } value ? throw Missing(ArchitectureKey) : value.Text ?? throw Wrong(ArchitectureKey, "a text");

    /// <summary>The value of a full key, or null.</summary>
    public GgufValue? Find(string key)
    {
        _known.Add(key);
        return _values.GetValueOrDefault(key);
    }

    /// <summary>Whether the architecture says anything of that name.</summary>
    public bool Has(string key) => Find(Full(key)) is not null;

    /// <summary>A whole number of things, from <paramref name="least"/> to <paramref name="most"/>.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="most">How many there may be.</param>
    /// <param name="otherwise">Where there is none; null where there must be one.</param>
    /// <param name="least">How many there must be.</param>
    public int Count(string key, int most, int? otherwise = null, int least = 1)
    {
        if (Find(Full(key)) is not { } value)
        {
            return otherwise ?? throw Missing(Full(key));
        }

        long count = value.Integer ?? throw Wrong(Full(key), value.Kind == GgufKind.Array ? "one number for all layers" : "a whole number");
        return count >= least && count <= most ? (int)count : throw Fault(Full(key), $"expected {least} to {most}");
    }

    /// <summary>A finite number.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="otherwise">Where there is none; null where there must be one.</param>
    public double Number(string key, double? otherwise = null)
    {
        if (Find(Full(key)) is not { } value)
        {
            return otherwise ?? throw Missing(Full(key));
        }

        double number = value.Number ?? throw Wrong(Full(key), "a number");
        return double.IsFinite(number) ? number : throw Fault(Full(key), "is not finite");
    }

    /// <summary>True or false, by the architecture's key.</summary>
    public bool Flag(string key, bool otherwise) => FlagOf(Full(key), otherwise);

    /// <summary>True or false, by a full key.</summary>
    public bool FlagOf(string key, bool otherwise) => Find(key) is not { } value ? otherwise : value.Flag ?? throw Wrong(key, "true or false");

    /// <summary>A text, by the architecture's key.</summary>
    public string Text(string key, string otherwise) => TextOf(Full(key)) ?? otherwise;

    /// <summary>A text by a full key, or null.</summary>
    public string? TextOf(string key) => Find(key) is not { } value ? null : value.Text ?? throw Wrong(key, "a text");

    /// <summary>The fault of a full key.</summary>
    public UserException Fault(string key, string message) => new($"{Path}: {key}{(_values.TryGetValue(key, out GgufValue? value) ? $" = {value}" : "")}: {message}");

    /// <summary>The full key of what the architecture says.</summary>
    public string Full(string key) => $"{Architecture}.{key}";

    /// <summary>What nobody has read and cannot change the numbers.</summary>
    /// <exception cref="UserException">A key that nobody has read would change them; names it.</exception>
    public IReadOnlyList<string> LeftOver()
    {
        List<string> left = [];
        foreach ((string key, GgufValue value) in _values.Where(pair => !_known.Contains(pair.Key)))
        {
            (string Key, double[] Neutral) rule = Array.Find(s_changing, rule => Full(rule.Key) == key);
            double number = value.Flag is { } flag ? (flag ? 1 : 0) : value.Number ?? double.NaN;
            if (rule.Key is not null && !rule.Neutral.Contains(number))
            {
                throw Fault(key, $"would change the numbers, and is not supported in architecture {Architecture}");
            }

            if (!Array.Exists(s_silent, key.StartsWith))
            {
                left.Add($"{key} = {value}");
            }
        }

        return left;
    }

    private UserException Missing(string key) => new($"{Path}: has no {key}, which the model needs");

    private UserException Wrong(string key, string expected) => Fault(key, $"expected {expected}");
}
