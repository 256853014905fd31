using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Network;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// How the residual stream of the same tokens moved between two checkpoints or two runs: size, the share that all tokens have in common, and the spectrum of the rest with k₉₀, the
/// directions that hold 90 % of its variance. Their standard error, and how much of held-out tokens' shifts they hold beside a random subspace, say what the number is worth.
/// </summary>
public sealed record HiddenShiftMeasure : CheckpointMeasure
{
    /// <inheritdoc/>
    public override string Legend => "‖δ‖/‖x‖, common, δ PR, k₉₀ = of the shift of each token's stream; held out, random: the share of it in the k₉₀ directions of other tokens, in random ones";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
    [
        new("shift", "‖δ‖/‖x‖", "0.000"), new("commonShare", "common", "0.00"), new("shiftParticipationRatio", "δ PR", "0.0"), new("shiftK90", "k₉₀", "0"),
        new("heldOutShare", "held out", "0.00"), new("randomShare", "random", "0.00"),
    ];

    /// <inheritdoc/>
    public override void Take(CheckpointSample first, CheckpointSample second, FigureWriter figures)
    {
        for (int i = 0; i < Math.Min(first.Streams.Count, second.Streams.Count); i++)
        {
            PointCloud before = first.Streams[i], now = second.Streams[i];
            FigureWriter at = figures.At(new FigurePlace("checkpoints", now.Point, now.Layer, Other: first.Name));
            if (before.Width == now.Width && before.Count == now.Count)
            {
                Compare(before.Values, now.Values, now.Count, now.Width, at);
            }
            else
            {
                at.Add("shift", null, GeometryStatus.Degenerate, "the clouds are of other shapes", now.Count);
            }
        }
    }

    private static void Compare(ReadOnlySpan<float> before, ReadOnlySpan<float> now, int count, int width, FigureWriter figures)
    {
        var shifts = new float[now.Length];
        TensorPrimitives.Subtract(now, before, shifts);
        Mean relative = default;
        var mean = new double[width];
        double squares = 0;
        var row = new double[width];
        for (int i = 0; i < count; i++)
        {
            double size = TensorPrimitives.Norm(before.Slice(i * width, width)), moved = TensorPrimitives.Norm<float>(shifts.AsSpan(i * width, width));
            if (size > 0)
            {
                relative.Add(moved / size);
            }

            squares += moved * moved;
            TensorPrimitives.ConvertChecked<float, double>(shifts.AsSpan(i * width, width), row);
            TensorPrimitives.Add<double>(mean, row, mean);
        }

        const string Rows = "paired rows, position 0 out";
        figures.Add("shift", relative.Value, relative.Status, $"mean ‖δ‖/‖x‖, {Rows}", relative.Count, relative.Error);
        figures.Add("commonShare", TensorPrimitives.SumOfSquares<double>(mean) / count / squares, squares > 0 ? GeometryStatus.Ok : GeometryStatus.ZeroVariance, $"‖mean δ‖²/mean ‖δ‖², {Rows}", count);
        ShiftSpectrum spectrum = ShiftSpectrum.Of(shifts, count, width);
        void Add(string name, double? value, string estimator, double? error = null) => figures.Add(name, value, spectrum.Status, $"{estimator}, {Rows}", count, error);
        Add("shiftParticipationRatio", spectrum.Summary?.ParticipationRatio, "centered");
        Add("shiftErank", spectrum.Summary?.ErankSv, "singular values, centered");
        Add("shiftK90", spectrum.K90, "centered, error by the jackknife of 5 groups", spectrum.K90Error);
        Add("heldOutShare", spectrum.HeldOutShare, "variance of one half in the k₉₀ directions of the other, both ways");
        Add("randomShare", spectrum.RandomShare.Mean, "of a random subspace of k₉₀ dimensions, error is its deviation", spectrum.RandomShare.Deviation);
        if (spectrum.Eigenvalues.Length > 0)
        {
            figures.Array("eigenvalues", [width], spectrum.Eigenvalues.AsSpan());
        }
    }
}
