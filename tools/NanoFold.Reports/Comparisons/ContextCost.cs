using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Comparisons;

/// <summary>What each variant takes as rows get longer, counted by <see cref="CostModel"/>.</summary>
internal static class ContextCost
{
    private const int Doublings = 6, Longest = 1 << 15;

    public static IEnumerable<Figure> Of(IReadOnlyList<ShownVariant> variants)
    {
        (ShownVariant Variant, (int Context, long Flops, long Cache)[] Costs)[] lines =
            [.. variants.Where(variant => variant.Config is not null).Select(variant => (variant, Costs(variant.Config!))).Where(line => line.Item2.Length > 1)];
        if (lines.Length == 0)
        {
            yield break;
        }

        yield return new Figure("Cost against context", View("FLOPs", "FLOPs per token", lines, cost => cost.Flops), View("cache", "cache of a sequence, bytes", lines, cost => cost.Cache > 0 ? cost.Cache : null))
        {
            Height = 430, Caption = "Windows, blocks and the numbers of chosen keys are as they were trained; FLOPs count every pair that a kind meets, causal or not. A cache of 0, of kinds that cannot be decoded, is left out. " + ShownVariant.Hidden(variants),
        };
    }

    private static Chart View(string name, string title, (ShownVariant Variant, (int Context, long Flops, long Cache)[] Costs)[] lines, Func<(int Context, long Flops, long Cache), double?> cost) => new(
        name, new Axis("context (tokens)") { IsLogarithmic = true, Marks = [.. lines.SelectMany(line => line.Costs.Select(c => (double)c.Context))] }, new Axis(title) { IsLogarithmic = true },
        [
            .. lines.Select(line => new Series(line.Variant.Name, [.. line.Costs.Select(c => (double?)c.Context)], [.. line.Costs.Select(cost)])
            {
                Kind = SeriesKind.LineAndPoints, Color = line.Variant.Color, Style = line.Variant.Style, Size = 0.85, IsHidden = line.Variant.IsHidden,
            }),
        ]);

    // Contexts that a model does not allow, such as those that are no multiple of a block, are left out.
    private static (int Context, long Flops, long Cache)[] Costs(RunConfig config) =>
    [
        .. from doubling in Enumerable.Range(0, Doublings)
           let model = config.Model with { Context = config.Model.Context << doubling }
           where model.Context is > 0 and <= Longest && !model.Validate("model").Any()
           select (model.Context, CostModel.FlopsPerToken(model, config.Train.Trains), CostModel.Of(model, config.Train.Trains).CacheBytesPerSequence),
    ];
}
