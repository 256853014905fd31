using NanoFold.Engine.Experiments.Results;

namespace NanoFold.Cli.Commands.Compare;

/// <summary>The result of a comparison in a terminal: who is ahead and how sure that is, then what it costs, then what is missing.</summary>
internal static class ResultView
{
    /// <summary>Writes it.</summary>
    public static void Write(Output output, ComparisonResult result)
    {
        output.Line(result.Title);
        output.Line();
        output.Table(numbers: true, ResultTable.Ranking(result).Lines);
        output.Line();
        string[][] verdicts = [.. result.Variants.Where(variant => !variant.IsBase).Select(variant => (string[])[variant.Name, variant.Verdict ?? ""])];
        if (verdicts.Length > 0)
        {
            output.Table(numbers: false, verdicts);
            output.Line();
        }

        if (ResultTable.Searches(result) is { } searches)
        {
            output.Table(numbers: true, searches.Lines);
            output.Line("* the rate that seeds run with");
            output.Line();
        }

        output.Table(numbers: true, ResultTable.Costs(result).Lines);
        output.Line();
        foreach (string sentence in result.Summary)
        {
            output.Line(sentence);
        }
    }
}
