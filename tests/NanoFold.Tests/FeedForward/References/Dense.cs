using NanoFold.Engine.FeedForward;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.FeedForward.References;

/// <summary>What lies between the matrices of a kind.</summary>
internal interface IDenseReference
{
    /// <summary>f(up), or f(gate) ⊙ up.</summary>
    double[] Activate(double[]? gate, double[] up);
}

/// <summary>down(f(up x)), or down(f(gate x) ⊙ up x): a kind says what f is, and whether it has a gate.</summary>
internal abstract class Dense<TConfig>(bool isGated, Func<double, double> f) : FeedForwardReference, IDenseReference
    where TConfig : DenseConfig
{
    public override Type Config => typeof(TConfig);

    public virtual double[] Activate(double[]? gate, double[] up)
    {
        Assert.That(gate is not null, Is.EqualTo(isGated), "has a gate");
        return gate is null ? [.. up.Select(f)] : NaiveLayer.Multiply([.. gate.Select(f)], up);
    }

    public override double[] Forward(FeedForwardConfig feedForward, NaiveLayer layer, double[] x)
    {
        (double pre, double output) = feedForward is DenseConfig kind ? (kind.PreScale, kind.OutputScale) : (1, 1);
        double[] Scaled(double[] y, double factor) => [.. y.Select(v => factor * v)];
        double[]? gate = layer.Has("gate_proj.weight") ? Scaled(layer.Linear(x, "gate_proj"), pre) : null;
        return Scaled(layer.Linear(Activate(gate, Scaled(layer.Linear(x, "up_proj"), gate is null ? pre : 1)), "down_proj"), output);
    }
}
