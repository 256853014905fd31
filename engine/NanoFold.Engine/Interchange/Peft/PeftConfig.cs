using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NanoFold.Engine.Interchange.HuggingFace;

namespace NanoFold.Engine.Interchange.Peft;

/// <summary>
/// The settings of an adapter as <c>adapter_config.json</c> has them. Which layers it is around, and of what rank, its tensors say; the settings say how the difference is
/// scaled, and must not contradict them.
/// </summary>
internal sealed record PeftConfig
{
    // What changes the numbers and is not supported, where it is set.
    private static readonly string[] s_refused =
    [
        "alora_invocation_tokens", "arrow_config", "layer_replication", "megatron_config", "target_parameters", "trainable_token_indices", "use_bdlora", "use_qalora",
        "velora_config", "monteclora_config", "kasa_config",
    ];

    // Ways to begin that change the base too, which a file of the adapter does not hold.
    private static readonly string[] s_changesBase = ["pissa", "olora", "corda", "loftq", "lora_ga"];

    /// <summary>The file, for messages.</summary>
    public string Path { get; private init; } = "";

    /// <summary>The model that it belongs to, as it names it; empty where it names none.</summary>
    public string Base { get; init; } = "";

    /// <summary>The rank where <see cref="Ranks"/> say nothing else.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>Alpha where <see cref="Alphas"/> say nothing else.</summary>
    public double Alpha { get; init; } = 8;

    /// <summary>Ranks by patterns of names of modules; the first that matches counts.</summary>
    public IReadOnlyList<(Regex Pattern, double Value)> Ranks { get; init; } = [];

    /// <summary>The same of alpha.</summary>
    public IReadOnlyList<(Regex Pattern, double Value)> Alphas { get; init; } = [];

    public double Dropout { get; init; }

    public bool RankStabilized { get; init; }

    public bool Dora { get; init; }

    public bool Bias { get; init; }

    /// <summary>Reads them.</summary>
    /// <exception cref="UserException">The file is missing or damaged, or a setting is not supported; names it.</exception>
    public static PeftConfig Read(string path)
    {
        var keys = new ForeignConfig(path, LenientJson.Load(path));
        string type = keys.Text("peft_type", "LORA");
        if (type != "LORA")
        {
            throw keys.Fault("peft_type", "adapters of this type are not supported; LORA is");
        }

        foreach (string key in s_refused)
        {
            keys.Require(key, _ => false, "is not supported");
        }

        keys.Require("init_lora_weights", node => node.GetValueKind() != JsonValueKind.String || !s_changesBase.Any(node.GetValue<string>().StartsWith),
            "changes the base model too, which is not in the adapter's files; save it converted to plain LoRA (path_initial_model_for_weight_conversion)");
        return new PeftConfig
        {
            Path = path,
            Base = keys.Text("base_model_name_or_path", ""),
            Rank = keys.Count("r", 1 << 16),
            Alpha = keys.Number("lora_alpha"),
            Ranks = Patterns(keys, "rank_pattern"),
            Alphas = Patterns(keys, "alpha_pattern"),
            Dropout = keys.Number("lora_dropout", 0) is >= 0 and < 1 and var dropout ? dropout : throw keys.Fault("lora_dropout", "expected at least 0 and less than 1"),
            RankStabilized = keys.Flag("use_rslora", false),
            Dora = keys.Flag("use_dora", false),
            Bias = keys.Flag("lora_bias", false),
        };
    }

    /// <summary>The rank that a module of the base should have.</summary>
    public double RankOf(string module) => First(Ranks, module) ?? Rank;

    /// <summary>The alpha of a module of the base.</summary>
    public double AlphaOf(string module) => First(Alphas, module) ?? Alpha;

    /// <summary>A pattern that means one module and no other.</summary>
    public static string Exactly(string module) => $"^{module.Replace(".", "\\.", StringComparison.Ordinal)}";

    private static double? First(IReadOnlyList<(Regex Pattern, double Value)> patterns, string module)
    {
        foreach ((Regex pattern, double value) in patterns)
        {
            if (pattern.IsMatch(module))
            {
                return value;
            }
        }

        return null;
    }

    // As peft matches them: all of a name, or what comes after a dot.
    private static List<(Regex, double)> Patterns(ForeignConfig keys, string key)
    {
        List<(Regex, double)> patterns = [];
        if (keys.Section(key) is { } section)
        {
            foreach (string name in section.Names)
            {
                double value = section.Number(name);
                if (!(value > 0) || !double.IsFinite(value))
                {
                    throw keys.Fault(key, string.Create(CultureInfo.InvariantCulture, $"'{name}' has {value}; expected more than 0"));
                }

                try
                {
                    patterns.Add((new Regex($@"^(?:.*\.)?(?:{name})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant), value));
                }
                catch (Exception e) when (e is ArgumentException or NotSupportedException)
                {
                    throw keys.Fault(key, $"'{name}' is a pattern that is not supported");
                }
            }
        }

        return patterns;
    }
}
