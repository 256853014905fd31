using System.Globalization;
using System.Numerics.Tensors;
using System.Text.RegularExpressions;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Taps;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// What gates do to the direction of an update: the share of the mixer's Δ that is normal to the plane of the q nearest neighbors of x, before the gate (the same pass
/// with every gate at 1) and after it, beside the 1 − q/D of a random plane. Of gates that a mixer multiplies what it makes by, before or after their activations.
/// </summary>
public sealed partial record GateUpdateMeasure : NetworkMeasure
{
    private const string Before = "hook_resid_pre", Update = "hook_attn_out";

    /// <summary>q, the neighbors whose plane is the tangent.</summary>
    [Bounds(1, 256)]
    public int Neighborhood { get; init; } = 10;

    /// <inheritdoc/>
    public override string Legend => "normal before, after = share of the mixer's update that leaves the plane of the nearest neighbors, before and after its gates";

    /// <inheritdoc/>
    public override string Subject => "gates in its mixers";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("normalShareBefore", "normal before", "0.000"), new("normalShareAfter", "normal after", "0.000"), new("normalShareByChance", "by chance", "0.000")];

    /// <inheritdoc/>
    public override void Take(NetworkSample network, FigureWriter figures)
    {
        (int Layer, TapPoint Point)[] gates =
        [
            .. network.Model.TapPoints.Where(point => point.Open is not null).Select(point => (Match: OfMixer().Match(point.Name), Point: point)).Where(pair => pair.Match.Success)
                .Select(pair => (int.Parse(pair.Match.Groups[1].Value, CultureInfo.InvariantCulture), pair.Point)),
        ];
        if (gates.Length == 0)
        {
            return;
        }

        int[] chosen = network.Points.Rows[network.Points.First..].ToArray();
        chosen = chosen[..Math.Min(chosen.Length, network.Shape.Neighbors)];
        if (chosen.Length == 0)
        {
            return;
        }

        using var rows = new TapRows(network.Backend, chosen.Length);
        rows.Set(chosen);
        Dictionary<string, float[]> plain = Read(network, rows, [.. gates.SelectMany(gate => (string[])[Name(gate.Layer, Before), Name(gate.Layer, Update)]).Distinct()], null);
        foreach ((int layer, TapPoint point) in gates)
        {
            Dictionary<string, float[]> open = Read(network, rows, [Name(layer, Update)], point);
            string beginning = point.Name[..(point.Name.LastIndexOf("attn.", StringComparison.Ordinal) - 1)];
            var place = new FigurePlace(beginning == Name(layer, "")[..^1] ? "block" : "mixer", beginning, layer);
            Write(plain[Name(layer, Before)], open[Name(layer, Update)], plain[Name(layer, Update)], chosen.Length, figures.At(place));
        }
    }

    private static string Name(int layer, string point) => string.Create(CultureInfo.InvariantCulture, $"blocks.{layer}.{point}");

    [GeneratedRegex(@"^blocks\.(\d+)\.(?:mixers\.\d+\.)?attn\.")]
    private static partial Regex OfMixer();

    private static Dictionary<string, float[]> Read(NetworkSample network, TapRows rows, string[] points, TapPoint? open)
    {
        var read = new Dictionary<string, float[]>();
        IEnumerable<ITapReader> readers = points.Select(point => new NetworkPass.Reader(point, (name, values, _) => read[name] = values, rows));
        using DeviceBuffer buffer = network.Backend.Allocate(sizeof(float));
        var editors = new List<ITapEditor>();
        if (open is not null)
        {
            var one = new View(buffer, 0, Layout.Of([.. Enumerable.Repeat(1, open.Shape.Split(' ').Length)]), DType.Float32);
            network.Backend.Write([(float)open.Open!.Value], one);
            editors.Add(new Patch(open.Name, one));
        }

        using var pass = new NetworkPass(network, readers, editors);
        // What comes after the last point is not needed.
        pass.Run(() => read.Count < points.Length);
        return read;
    }

    private void Write(float[] x, float[] before, float[] after, int count, FigureWriter figures)
    {
        int width = x.Length / count;
        NeighborGraph graph = NearestNeighbors.Search(x, count, width, Neighborhood);
        Mean first = default, second = default, change = default, ratio = default;
        string estimator = $"‖(I − UUᵀ)Δ‖²/‖Δ‖², U of {Neighborhood} neighbors, mean over tokens, position 0 out, {graph.DuplicatesDropped} duplicates dropped";
        for (int i = 0; i < graph.Count && graph.K >= Neighborhood; i++)
        {
            int row = graph.Rows[i];
            TangentPlane plane = TangentPlane.Of(x, width, [row, .. graph.Neighbors(i)[..Neighborhood]], Neighborhood);
            ReadOnlySpan<float> ungated = before.AsSpan(row * width, width), gated = after.AsSpan(row * width, width);
            ratio.Add(TensorPrimitives.Norm(gated) / TensorPrimitives.Norm(ungated));
            if (plane.NormalShare(ungated) is { } one && plane.NormalShare(gated) is { } other)
            {
                first.Add(one);
                second.Add(other);
                change.Add(other - one);
            }
        }

        GeometryStatus status = graph.Status != GeometryStatus.Ok ? graph.Status : first.Status;
        figures.Add("normalShareBefore", first.Value, status, estimator + ", gates at 1", first.Count, first.Error);
        figures.Add("normalShareAfter", second.Value, status, estimator, second.Count, second.Error);
        figures.Add("normalShareChange", change.Value, status, estimator + ", after less before", change.Count, change.Error);
        figures.Add("normalShareByChance", 1 - (Math.Min(Neighborhood, width) / (double)width), GeometryStatus.Ok, "of random planes", count);
        figures.Add("updateKept", ratio.Value, graph.Status != GeometryStatus.Ok ? graph.Status : ratio.Status, "‖Δ‖ with gates ÷ ‖Δ‖ with gates at 1, mean over tokens, position 0 out", ratio.Count, ratio.Error);
    }
}
