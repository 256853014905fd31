using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Geometry;

/// <summary>The section <c>geometry</c>: what is measured while a model trains.</summary>
public sealed record GeometryConfig
{
    /// <summary>Measure at all.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Steps between measurements; 0 as often as <see cref="Budget"/> allows.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int Every { get; init; }

    /// <summary>The share of the training time that measuring may take.</summary>
    [Bounds(0, 1)]
    public double Budget { get; init; } = 0.02;

    /// <summary>Tokens whose residual stream is measured.</summary>
    [Bounds(16, 1 << 24)]
    public int ProbeTokens { get; init; } = 2048;
}
