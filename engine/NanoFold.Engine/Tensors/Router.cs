namespace NanoFold.Engine.Tensors;

/// <summary>What the router of a layer keeps from step to step, in a <see cref="ParameterStore"/>: what it sent where in this step, and the bias that balances its experts.</summary>
public sealed class Router
{
    internal Router(ParameterStore store, int layer, int experts, Parameter? bias, double biasRate)
    {
        Store = store;
        Layer = layer;
        Experts = experts;
        Bias = bias;
        BiasRate = biasRate;
    }

    /// <summary>Where its counts are.</summary>
    public ParameterStore Store { get; }

    /// <summary>The layer that it is in, from 0.</summary>
    public int Layer { get; }

    /// <summary>E, the experts that it chooses from.</summary>
    public int Experts { get; }

    /// <summary>[E], added to scores where experts are chosen; no gradient moves it. Null for none.</summary>
    public Parameter? Bias { get; }

    /// <summary>u: after a step bias[e] += u · sign(mean count − count[e]).</summary>
    public double BiasRate { get; }

    /// <summary>First element in the store's counts.</summary>
    internal long Offset { get; init; }
}
