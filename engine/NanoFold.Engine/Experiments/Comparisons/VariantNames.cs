using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>
/// Variants in one text: <c>attention,mamba2,G2:model.mixer=gated-attention:model.mixer.gate=G2</c>. A name that is a kind of mixer, feed-forward, residual connection or optimizer means that kind, in
/// this order; settings may follow it, and have to follow any other name, unless a file has a variant of that name.
/// </summary>
public static class VariantNames
{
    private static readonly (string Key, Func<IReadOnlyList<Variant>> Kinds)[] s_families =
    [
        ("model.mixer", Variant.Of<MixerConfig>), ("model.feedForward", Variant.Of<FeedForwardConfig>), ("model.residual", Variant.Of<ResidualConfig>), ("train.optimizer", Variant.Of<OptimizerConfig>),
    ];

    /// <summary>A comparison of the variants of a text: of those that a file has, single points of its grid too, and others.</summary>
    /// <param name="file">Where names are looked up first. Where none of them is its reference, the first is.</param>
    /// <param name="texts">Each of variants separated by commas.</param>
    /// <param name="option">What the texts were given as, for messages.</param>
    /// <exception cref="ConfigException">A name means nothing or is there twice.</exception>
    public static ComparisonFile Choose(ComparisonFile file, IEnumerable<string> texts, string option)
    {
        var variants = new OrderedDictionary<string, ConfigOverlay<RunConfig>>();
        var problems = new List<ConfigProblem>();
        string[][] chosen = [.. texts.SelectMany(text => text.Split(',')).Select(text => text.Trim().Split(':'))];
        ComparisonFile points = VariantGrid.Expand(file, problems);
        bool hasPoints = problems.Count == 0 && chosen.Any(parts => !file.Variants.ContainsKey(parts[0]) && points.Variants.ContainsKey(parts[0]));
        foreach (string[] parts in chosen)
        {
            bool isPoint = hasPoints && points.Variants.ContainsKey(parts[0]);
            if (Read(isPoint ? points : file, parts, problems, option) is not { } settings)
            {
                continue;
            }

            // Beside single points every other name means all of its own.
            var own = new OrderedDictionary<string, ConfigOverlay<RunConfig>> { [parts[0]] = settings };
            foreach ((string name, ConfigOverlay<RunConfig> changes) in hasPoints && !isPoint ? VariantGrid.Expand(file with { Variants = own }, problems).Variants : own)
            {
                if (!variants.TryAdd(name, changes))
                {
                    problems.Add(new ConfigProblem(option, $"\"{name}\" is there twice; give one of them another name, as in {parts[0]}2:key=value"));
                }
            }
        }

        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        return WithReference(file with { Variants = variants, Grid = hasPoints ? new ConfigOverlay<RunConfig>() : file.Grid });
    }

    private static ComparisonFile WithReference(ComparisonFile file)
    {
        IEnumerable<string> names = VariantGrid.Expand(file, []).Variants.Keys;
        return file.Reference is { } reference && !names.Contains(reference) ? file with { Reference = names.FirstOrDefault() } : file;
    }

    /// <summary>The key that a kind is of, or null.</summary>
    internal static string? KeyOf(string kind) => s_families.FirstOrDefault(family => family.Kinds().Any(known => known.Kind == kind)).Key;

    private static ConfigOverlay<RunConfig>? Read(ComparisonFile file, string[] parts, List<ConfigProblem> problems, string option)
    {
        string name = parts[0];
        bool isThere = file.Variants.TryGetValue(name, out ConfigOverlay<RunConfig>? written);
        string? key = KeyOf(name);
        if (!isThere && key is null && parts.Length == 1)
        {
            string[] known = [.. file.Variants.Keys, .. s_families.SelectMany(family => family.Kinds()).Select(kind => kind.Kind).Distinct()];
            string meant = NearestName.Among(name, known) is { } near ? $"; did you mean {near}?" : $"; known: {string.Join(", ", known)}";
            problems.Add(new ConfigProblem(option, name.Length == 0 ? "a name is missing between commas" : $"\"{name}\" is no kind{(file.Variants.Count > 0 ? " and no variant of the file" : "")}, and no settings follow it, as in {name}:key=value{meant}"));
            return null;
        }

        var tree = isThere ? (JsonObject)written!.Tree.DeepClone() : [];
        var settings = new SettingList(tree);
        if (!isThere && key is not null)
        {
            settings.Set($"{key}={name}");
        }

        foreach (string setting in parts.Skip(1))
        {
            if (!settings.Set(setting))
            {
                problems.Add(new ConfigProblem(option, $"\"{setting}\" of \"{name}\" is no setting; expected key=value, such as model.layers=6"));
            }
        }

        return ConfigOverlay<RunConfig>.Of(tree, isThere ? written!.Places : null);
    }

    // Settings that are laid over a tree, one after the other.
    private sealed class SettingList(JsonObject tree)
    {
        public bool Set(string assignment)
        {
            int equals = assignment.IndexOf('=');
            string key = assignment[..Math.Max(0, equals)].Trim();
            if (equals <= 0 || key.Split('.').Any(string.IsNullOrWhiteSpace))
            {
                return false;
            }

            ConfigMerge.Apply(tree, ComparisonTree.Nested(key, ConfigTree<RunConfig>.ParseValue(key, assignment[(equals + 1)..])), typeof(RunConfig));
            return true;
        }
    }
}
