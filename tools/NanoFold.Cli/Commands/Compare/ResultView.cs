using NanoFold.Engine.Experiments.Results;

namespace NanoFold.Cli.Commands.Compare;

/// <summary>The result of a comparison in a terminal: who is ahead and how sure that is, then what it costs, then what is missing.</summary>
internal static class ResultView
{
    // More rows nobody reads.
    private const int MostRows = 30;

    /// <summary>Writes it: of many variants the first ones and the base, but for the table of a grid and the sentences, which are of all.</summary>
    public static void Write(Output output, ComparisonResult all)
    {
        ComparisonResult result = all.Variants.Count <= MostRows ? all : all with { Variants = [.. all.Variants.Where((variant, i) => i < MostRows || variant.IsBase)] };
        output.Line(result.Title);
        output.Line();
        Write(output, ResultTable.Grid(all));
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
        if (result.Variants.Count < all.Variants.Count)
        {
            output.Line($"Of {all.Variants.Count} variants the first {MostRows} are shown; {ResultFiles.Markdown} and {ResultFiles.Table} have all of them.");
        }

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
