using NanoFold.Engine.Model;
using NanoFold.Engine.Residuals;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Residuals.References;

/// <summary>x + f(x): what all other variants of a model have.</summary>
internal sealed class Add : ResidualReference
{
    public override Type Config => typeof(AddConfig);

    public override NaiveStream Begin(ResidualConfig residual, NaiveLayer model, double[][] embedding) => new Stream(embedding);

    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ResidualConfig tiny, ModelConfig small) => [];

    private sealed class Stream(double[][] x) : NaiveStream
    {
        private double[][] _x = x;

        public override void Around(NaiveLayer layer, string name, Func<double[][], double[][]> subBlock) => _x = [.. _x.Zip(subBlock(_x), NaiveLayer.Add)];

        public override void Change(Func<double[][], double[][]> make) => _x = make(_x);

        public override double[][] End(NaiveLayer model) => _x;
    }
}
