using NanoFold.Engine.Autograd;

namespace NanoFold.Tests.Suites;

/// <summary>Keeps everything it reads, in order.</summary>
internal sealed class Collector(string pattern) : ITapReader
{
    public string Pattern { get; } = pattern;

    public TapRows? Rows { get; init; }

    public bool IsOptional { get; init; }

    public List<(string Name, int[] Shape, double[] Values)> Read { get; } = [];

    void ITapReader.Read(TapValue value) => Read.Add((value.Name, value.Layout.ToShape(), Array.ConvertAll(value.ToArray(), v => (double)v)));

    /// <summary>The one value of that name.</summary>
    public double[] this[string name] => Read.Single(r => r.Name == name).Values;
}
