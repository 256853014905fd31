using NanoFold.Engine;
using NanoFold.Engine.Experiments.Comparisons;

namespace NanoFold.Cli.Commands.Compare;

/// <summary>What a comparison is, for people.</summary>
internal static class CompareTables
{
    /// <summary>What is held equal, over what, and how large each variant is.</summary>
    public static void Describe(Output output, Comparison comparison)
    {
        output.Line(Summary(comparison));
        output.Line();
        bool solved = comparison.Variants.Any(variant => variant.Solved.Count > 0);
        output.Table(
            numbers: true,
            [
                ["variant", "parameters", "FLOPs/token", "cache/token", .. comparison.Equal is EqualKind.Seconds or EqualKind.None ? Array.Empty<string>() : ["off"]],
                .. comparison.Variants.Select(variant => (string[])
                [
                    variant.Name,
                    Display.Count(variant.Parameters),
                    Display.Short(variant.FlopsPerToken),
                    variant.CacheBytesPerToken == 0 ? "none" : Display.Bytes((long)Math.Round(variant.CacheBytesPerToken)),
                    .. variant.Residual is { } residual ? [Share(residual)] : Array.Empty<string>(),
                ]),
            ]);
        if (solved)
        {
            output.Line();
            output.Table(
                numbers: false,
                [["solved for", ""], .. comparison.Variants.Where(variant => variant.Solved.Count > 0).Select(variant => (string[])[variant.Name, string.Join(", ", variant.Solved)])]);
        }
    }

    /// <summary>In a line: how many variants, seeds and rates, and what is held equal.</summary>
    public static string Summary(Comparison comparison)
    {
        ComparedVariant first = comparison.Variants[0];
        string tokens = comparison.Variants.All(variant => variant.Tokens == first.Tokens) && first.Tokens > 0 ? $"{Display.Count(first.Tokens)} tokens a run" : "";
        string[] equal =
        [
            .. comparison.Equal switch
            {
                EqualKind.Parameters => [$"{Display.Count((long)comparison.Budget!.Value)} parameters", tokens],
                EqualKind.Flops => [$"{Display.Short(comparison.Budget!.Value, "FLOP")} a run", tokens],
                EqualKind.Tokens => [$"{Display.Count((long)comparison.Budget!.Value)} tokens a run"],
                EqualKind.Seconds => [$"{Display.Number(comparison.Budget!.Value)} s a run"],
                _ => new[] { "nothing" },
            },
        ];
        string rates = comparison.Searches ? $", {Display.Count(comparison.Points.Count, "rate")} tried for each with seed {comparison.Seeds[0]}" : "";
        return $"{Display.Count(comparison.Variants.Count, "variant")}, {Display.Count(comparison.Seeds.Count, "seed")}{rates}: {Display.Count(comparison.RunCount, "run")}; equal: {string.Join(", ", equal.Where(part => part.Length > 0))}; compared with {comparison.Reference}";
    }

    private static string Share(double residual) => Math.Abs(residual) < 5e-5 ? "0 %" : $"{(residual > 0 ? "+" : "−")}{Display.Number(Math.Abs(residual) * 100)} %";
}
