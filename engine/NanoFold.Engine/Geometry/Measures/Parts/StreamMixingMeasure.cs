using System.Globalization;
using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// What hyper-connections make of their streams: the mean cosine of every two streams, how different they are, and how much the mixing composed from the first sub-block
/// up to here can amplify: its largest row (forward), column (backward) and singular value.
/// </summary>
public sealed record StreamMixingMeasure : BlockMeasure
{
    private const string Streams = "hook_streams_post", Product = "product of the mixing matrices from the first sub-block on";

    /// <inheritdoc/>
    public override string Legend => "gain →, gain ← = largest row and column sum of the composed mixing of streams; spread = variance between a token's streams ÷ their mean square";

    /// <inheritdoc/>
    public override string Subject => "parallel residual streams";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("mixingForwardGain", "gain →", "0.000"), new("mixingBackwardGain", "gain ←", "0.000"), new("streamSpread", "spread", "0.00")];

    /// <inheritdoc/>
    public override IReadOnlyList<Want> Wants => [new(Streams), new("attn_residual.hook_res"), new("mlp_residual.hook_res")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 4.0 * shape.Points * (width + 200);

    /// <inheritdoc/>
    public override void Take(BlockSample block, FigureWriter figures)
    {
        if (block.Cloud(Streams) is { Parts: > 1 } streams)
        {
            WriteCosines(streams, figures);
        }

        if (block.Mixing is { Streams: > 0 } mixing)
        {
            MixingGain gain = mixing.Gain();
            void Add(string name, double value, string what) => figures.Add(name, value, GeometryStatus.Ok, $"{what}, {Product}", mixing.Count);
            Add("mixingForwardGain", gain.Forward, "largest Σ |element| of a row, mean over tokens");
            Add("mixingBackwardGain", gain.Backward, "largest Σ |element| of a column, mean over tokens");
            Add("mixingSpectralGain", gain.Spectral, "largest singular value, mean over tokens");
            Add("mixingForwardGainMost", gain.MostForward, "largest Σ |element| of a row of all tokens");
            Add("mixingBackwardGainMost", gain.MostBackward, "largest Σ |element| of a column of all tokens");
        }
    }

    private static void WriteCosines(PointCloud streams, FigureWriter figures)
    {
        int n = streams.Parts, width = streams.Width / n;
        var cosines = new Mean[n * n];
        var mean = new float[width];
        Mean spread = default;
        for (int token = 0; token < streams.Count; token++)
        {
            ReadOnlySpan<float> all = streams.Values.Slice(token * streams.Width, streams.Width);
            Array.Clear(mean);
            for (int i = 0; i < n; i++)
            {
                ReadOnlySpan<float> own = all.Slice(i * width, width);
                TensorPrimitives.Add(mean, own, mean);
                for (int j = 0; j < i; j++)
                {
                    cosines[(j * n) + i].Add(TensorPrimitives.CosineSimilarity(own, all.Slice(j * width, width)));
                }
            }

            // Σ ‖x_i − x̄‖² = Σ ‖x_i‖² − n ‖x̄‖².
            double squares = TensorPrimitives.SumOfSquares(all), common = TensorPrimitives.SumOfSquares<float>(mean) / n;
            spread.Add(Math.Max(0, 1 - (common / squares)));
        }

        figures.Add("streamSpread", spread.Value, spread.Status, "Σ‖x_i − x̄‖² ÷ Σ‖x_i‖², mean over tokens: 0 where all streams are the same", spread.Count);
        for (int i = 0; i < n; i++)
        {
            for (int j = i + 1; j < n; j++)
            {
                Mean one = cosines[(i * n) + j];
                figures.Add(string.Create(CultureInfo.InvariantCulture, $"streamCosine.{i}.{j}"), one.Value, one.Status, "mean over tokens", one.Count);
            }
        }
    }
}
