using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Tests.Mixers.References;

/// <summary>A query takes the keys of the largest weights until their sum reaches a share; among equals the first.</summary>
internal sealed class BudgetAdaptive : AttentionFamily<BudgetAdaptiveConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("budget-adaptive wide", small with { Mixer = BudgetAdaptiveConfig.Tiny with { Mass = 0.99, Ceiling = 12 } })];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [$"{kind} wide"];

    protected override IEnumerable<int> Seen(BudgetAdaptiveConfig mixer, int t, IReadOnlyList<int> shown, Func<int, double> score)
    {
        double total = shown.Sum(j => Math.Exp(score(j))), sum = 0;
        int count = 0;
        foreach (int j in shown.OrderByDescending(score).ThenBy(j => j).Take(mixer.Ceiling))
        {
            if (sum < mixer.Mass * total || count < mixer.Floor)
            {
                count++;
                yield return j;
            }

            sum += Math.Exp(score(j));
        }
    }
}
