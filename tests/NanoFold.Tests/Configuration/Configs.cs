using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Configuration;

/// <summary>Short ways to a configuration, or to the problems of one.</summary>
internal static class Configs
{
    public static RunConfig Build(params string[] settings) => Tree(settings).Build();

    public static string[] Problems(params string[] settings) => Problems(Tree(settings));

    public static string[] Problems(ConfigTree tree)
        => [.. Assert.Throws<ConfigException>(() => tree.Build())!.Problems.Select(problem => problem.ToString())];

    public static ConfigTree Tree(params string[] settings)
    {
        var tree = new ConfigTree();
        foreach (string setting in settings)
        {
            tree.Set(setting);
        }

        return tree;
    }
}
