using NanoFold.Engine.Model;
using NanoFold.Engine.Residuals;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Residuals.References;

/// <summary>What a kind of residual connection must compute, in plain loops over doubles, one sequence at a time. Found by the type of its settings.</summary>
internal abstract class ResidualReference
{
    private static readonly Lazy<Dictionary<Type, ResidualReference>> s_all = new(() => ReferenceTypes.All<ResidualReference>().ToDictionary(r => r.Config));

    /// <summary>The type of the settings that it is the reference of.</summary>
    public abstract Type Config { get; }

    public static ResidualReference Of(ResidualConfig residual) => s_all.Value.TryGetValue(residual.GetType(), out ResidualReference? found)
        ? found
        : throw new KeyNotFoundException($"{residual.Kind}: has no reference; add one to Residuals/References");

    /// <summary>A sequence's stream, from its embedding [T][C].</summary>
    public abstract NaiveStream Begin(ResidualConfig residual, NaiveLayer model, double[][] embedding);

    /// <summary>Models that show what is special about it, made of a small one; names begin with its kind.</summary>
    public virtual IEnumerable<(string Name, ModelConfig Model)> Variants(ResidualConfig tiny, ModelConfig small) => [(tiny.Kind, small with { Residual = tiny })];
}

/// <summary>The residual stream of one sequence.</summary>
internal abstract class NaiveStream
{
    /// <summary>What a sub-block makes of what it reads joins the stream.</summary>
    public abstract void Around(NaiveLayer layer, string name, Func<double[][], double[][]> subBlock);

    /// <summary>The stream becomes what is made of it, where it is one vector of each token.</summary>
    public virtual void Change(Func<double[][], double[][]> make) => throw new NotSupportedException("the stream is not one vector of each token");

    /// <summary>What the last norm reads, [T][C].</summary>
    public abstract double[][] End(NaiveLayer model);
}
