using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Measures;

namespace NanoFold.Engine.Geometry;

/// <summary>The section <c>geometry</c>: what is measured while a model trains.</summary>
public sealed record GeometryConfig
{
    /// <summary>Measure at all.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Steps between measurements, of all measures then; 0 for multiples of powers of two, as often as <see cref="Budget"/> allows.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int Every { get; init; }

    /// <summary>The share of the training time that measuring may take. The measurement at the end of a run may take as much of its own, or 5 seconds.</summary>
    [Bounds(0, 1)]
    public double Budget { get; init; } = 0.02;

    /// <summary>Tokens whose residual stream is measured.</summary>
    [Bounds(16, 1 << 24)]
    public int ProbeTokens { get; init; } = 2048;

    /// <summary>Those of them whose nearest neighbors are searched, which costs their square.</summary>
    [Bounds(16, 1 << 16)]
    public int NeighborTokens { get; init; } = 1000;

    /// <summary>What is measured: kinds, or records with their settings; "light", "full" (all that can be measured while training) or "none".</summary>
    public IReadOnlyList<Measure> Measures { get; init; } = Measure.Defaults;

    /// <summary>What is inconsistent.</summary>
    public IEnumerable<ConfigProblem> Validate(string path)
    {
        for (int i = 0; i < Measures.Count; i++)
        {
            foreach (ConfigProblem problem in Measures[i].Validate($"{path}.measures.{i}"))
            {
                yield return problem;
            }

            if (Measures[i].Tier == Measure.Offline)
            {
                yield return new ConfigProblem($"{path}.measures.{i}", $"\"{Measures[i].Kind}\" is measured after training only: geometry --model RUN --measures {Measures[i].Kind}");
            }

            if (Measures.Take(i).Contains(Measures[i]))
            {
                yield return new ConfigProblem($"{path}.measures.{i}", $"\"{Measures[i].Kind}\" is there already with the same settings");
            }
        }
    }
}
