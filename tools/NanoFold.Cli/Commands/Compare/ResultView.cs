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

        Write(output, ResultTable.Searches(result), "* the rate that seeds run with");
        Write(output, ResultTable.Contexts(result));
        Write(output, ResultTable.Layers(result));
        output.Table(numbers: true, ResultTable.Costs(result).Lines);
        output.Line();
        foreach (string sentence in result.Summary)
        {
            output.Line(sentence);
        }
    }

    private static void Write(Output output, ResultTable? table, params string[] below)
    {
        if (table is null)
        {
            return;
        }

        output.Table(numbers: true, table.Lines);
        foreach (string line in below)
        {
            output.Line(line);
        }

        output.Line();
    }
}
