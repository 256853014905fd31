using NanoFold.Engine.Mixers;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Scores with Σ log σ(f) from after the key up to the query.</summary>
internal sealed class Forgetting : AttentionFamily<ForgettingConfig>
{
    public override IReadOnlyList<string> Quick(string kind) => ["forgetting grouped"];

    public override IReadOnlyList<string> QuickToDecode(string kind) => ["forgetting grouped"];

    protected override double[][]? DecaySums(NaiveLayer layer, double[][] x)
    {
        double[] sum = new double[layer.Weight("f_proj.bias").Length];
        return [.. x.Select(row => sum = NaiveLayer.Add(sum, [.. layer.Linear(row, "f_proj").Select(f => Math.Log(NaiveLayer.Sigmoid(f)))]))];
    }
}
