using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;

namespace NanoFold.Tests.Configuration;

/// <summary>Short ways to a configuration, or to the problems of one.</summary>
internal static class Configs
{
    public static RunConfig Build(params string[] settings) => Tree(settings).Build();

    public static string[] Problems(params string[] settings) => Problems(Tree(settings));

    public static string[] Problems(ConfigTree tree)
        => [.. Assert.Throws<ConfigException>(() => tree.Build())!.Problems.Select(problem => problem.ToString())];

    /// <summary>A message with the names of all kinds where it has <c>{mixers}</c>, <c>{feedForwards}</c> and the like.</summary>
    public static string WithKinds(string message) => message
        .Replace("{mixers}", Kinds<MixerConfig>(), StringComparison.Ordinal)
        .Replace("{feedForwards}", Kinds<FeedForwardConfig>(), StringComparison.Ordinal)
        .Replace("{activations}", Kinds<DenseConfig>(), StringComparison.Ordinal)
        .Replace("{residuals}", Kinds<ResidualConfig>(), StringComparison.Ordinal)
        .Replace("{optimizers}", Kinds<OptimizerConfig>(), StringComparison.Ordinal);

    public static ConfigTree Tree(params string[] settings)
    {
        var tree = new ConfigTree();
        foreach (string setting in settings)
        {
            tree.Set(setting);
        }

        return tree;
    }

    private static string Kinds<TConfig>() => string.Join(", ", Variant.Of<TConfig>().Select(variant => variant.Kind));
}
