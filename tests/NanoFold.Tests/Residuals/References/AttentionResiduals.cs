using NanoFold.Engine.Residuals;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Residuals.References;

/// <summary>Every reader weighs the embedding and what all sub-blocks before it made.</summary>
internal sealed class AttentionResiduals : ResidualReference
{
    public override Type Config => typeof(AttentionResidualsConfig);

    public override NaiveStream Begin(ResidualConfig residual, NaiveLayer model, double[][] embedding) => new Stream(embedding);

    private sealed class Stream(double[][] embedding) : NaiveStream
    {
        private readonly List<double[][]> _values = [embedding];

        public override void Around(NaiveLayer layer, string name, Func<double[][], double[][]> subBlock) => _values.Add(subBlock(Read(layer.In(name))));

        public override double[][] End(NaiveLayer model) => Read(model.In("final_residual"));

        private double[][] Read(NaiveLayer own) => [.. Enumerable.Range(0, _values[0].Length).Select(t =>
        {
            double[][] v = [.. _values.Select(value => value[t])];
            double[] exp = [.. v.Select(row => Math.Exp(NaiveLayer.Multiply(own.Rms(row, own.Weight("norm.weight")), own.Weight("query")).Sum()))];
            return v[0].Select((_, c) => v.Select((row, i) => exp[i] / exp.Sum() * row[c]).Sum()).ToArray();
        })];
    }
}
