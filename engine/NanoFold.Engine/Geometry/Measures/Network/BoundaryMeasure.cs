using System.Globalization;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Geometry.Heads;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Whether the stream bends, and gates open or close, where the topic changes: the angle between successive steps from token to token that go to or from the first token
/// of a document or of a paragraph (after an empty line), against all other angles; and the mean gate of such tokens against all others'.
/// </summary>
public sealed record BoundaryMeasure : NetworkMeasure
{
    private const string Stream = "hook_resid_post", Gate = "attn.hook_gate";

    /// <inheritdoc/>
    public override string Legend => "at, else = mean angle of successive steps at beginnings of documents and paragraphs, and elsewhere";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("degreesAtBoundary", "at °", "0.0"), new("degreesElsewhere", "else °", "0.0"), new("gateDifference", "gate at − else", "0.000")];

    /// <inheritdoc/>
    public override void Take(NetworkSample network, FigureWriter figures)
    {
        bool[] begins = TopicBoundaries.Find(network.Tokens, network.Documents, network.Time, network.Tokenizer);
        int boundaries = begins.Count(b => b);
        var readers = new List<ITapReader>();
        for (int layer = 0; layer < network.Model.Config.Layers; layer++)
        {
            FigureWriter own = figures.At(new FigurePlace("block", string.Create(CultureInfo.InvariantCulture, $"blocks.{layer}"), layer));
            readers.Add(new NetworkPass.Reader(string.Create(CultureInfo.InvariantCulture, $"blocks.{layer}.{Stream}"), (_, values, shape) => WriteAngles(values, shape, begins, boundaries, own)));
            readers.Add(new NetworkPass.Reader(string.Create(CultureInfo.InvariantCulture, $"blocks.{layer}.{Gate}"), (_, values, shape) => WriteGates(values, shape[1], begins, boundaries, own)));
        }

        using var pass = new NetworkPass(network, readers);
        pass.Run();
    }

    private static void WriteAngles(float[] values, int[] shape, bool[] begins, int boundaries, FigureWriter figures)
    {
        bool isFinite = RowGuard.AllFinite(values);
        float[] angles = isFinite ? Curvature.ByPlace(values, shape[1], shape[2]) : [];
        Mean at = default, elsewhere = default;
        for (int i = 0; i < angles.Length; i++)
        {
            // The step to a beginning is in two angles. Position 0 is in none.
            int t = i % shape[1];
            bool isAt = begins[i] || (t < shape[1] - 1 && begins[i + 1]);
            ref Mean mean = ref isAt ? ref at : ref elsewhere;
            mean.Add(t > 1 && !float.IsNaN(angles[i]) ? angles[i] : null);
        }

        Write(figures, "degrees", at, elsewhere, isFinite, $"mean angle of successive steps, position 0 out, {boundaries} beginnings");
    }

    private static void WriteGates(float[] gates, int time, bool[] begins, int boundaries, FigureWriter figures)
    {
        Mean at = default, elsewhere = default;
        int each = gates.Length / begins.Length;
        for (int i = 0; i < begins.Length; i++)
        {
            double sum = 0;
            foreach (float gate in gates.AsSpan(i * each, each))
            {
                sum += gate;
            }

            ref Mean mean = ref begins[i] ? ref at : ref elsewhere;
            mean.Add(i % time > 0 ? sum / each : null);
        }

        Write(figures, "gate", at, elsewhere, RowGuard.AllFinite(gates), $"mean gate of a token, position 0 out, {boundaries} beginnings");
    }

    private static void Write(FigureWriter figures, string name, Mean at, Mean elsewhere, bool isFinite, string estimator)
    {
        GeometryStatus first = isFinite ? at.Status : GeometryStatus.NotFinite, second = isFinite ? elsewhere.Status : GeometryStatus.NotFinite;
        figures.Add(name + "AtBoundary", at.Value, first, estimator, at.Count, at.Error);
        figures.Add(name + "Elsewhere", elsewhere.Value, second, estimator, elsewhere.Count, elsewhere.Error);
        figures.Add(name + "Difference", at.Value - elsewhere.Value, first == GeometryStatus.Ok ? second : first, estimator + ", at less elsewhere", at.Count + elsewhere.Count, Math.Sqrt((at.Error * at.Error) + (elsewhere.Error * elsewhere.Error) ?? double.NaN));
    }
}
