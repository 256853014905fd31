using System.Globalization;
using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// What residual connections carry: each stream's mean ‖x‖ after the block and the mean cosine of a token's streams (hyper-connections), how far from 1 the rows and
/// columns of their mixing up to here sum, and over which of the values before it attention residuals spread.
/// </summary>
public sealed record StreamMeasure : BlockMeasure
{
    private const string Streams = "hook_streams_post", Mean = "mean over tokens";

    private static readonly (string Name, string Of)[] s_subBlocks = [("attn_residual", "mixer"), ("mlp_residual", "feedForward")];

    /// <inheritdoc/>
    public override string Legend => "streams = mean cosine of a token's residual streams; depth = entropy of the weights on what came before ÷ the most it can be";

    /// <inheritdoc/>
    public override string Subject => "parallel residual streams";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("streamCosine", "streams", "0.00"), new("mixingColumnError", "mixing Σ−1", "0.0000"), new("mixerDepthEntropyShare", "depth", "0.00")];

    /// <inheritdoc/>
    public override IReadOnlyList<Want> Wants => [new(Streams), .. s_subBlocks.SelectMany(sub => (Want[])[new($"{sub.Name}.hook_res"), new($"{sub.Name}.hook_weights")])];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 4.0 * shape.Points * width;

    /// <inheritdoc/>
    public override void Take(BlockSample block, FigureWriter figures)
    {
        if (block.Cloud(Streams) is { Parts: > 1 } streams)
        {
            WriteStreams(streams, figures);
        }

        if (block.Mixing.Streams > 0)
        {
            (double rows, double columns) = block.Mixing.FarthestFromOne();
            figures.Add("mixingRowError", rows, GeometryStatus.Ok, "largest |Σ − 1| of the rows of products from the first sub-block on", block.Mixing.Count);
            figures.Add("mixingColumnError", columns, GeometryStatus.Ok, "largest |Σ − 1| of the columns of products from the first sub-block on", block.Mixing.Count);
        }

        foreach ((string name, string of) in s_subBlocks)
        {
            if (block.Cloud($"{name}.hook_weights") is { } weights)
            {
                WriteDepth(weights, of, figures);
            }
        }
    }

    private static void WriteStreams(PointCloud streams, FigureWriter figures)
    {
        int n = streams.Parts, width = streams.Width / n;
        var norms = new double[n];
        double cosines = 0;
        long pairs = 0;
        for (int token = 0; token < streams.Count; token++)
        {
            ReadOnlySpan<float> all = streams.Values.Slice(token * streams.Width, streams.Width);
            for (int i = 0; i < n; i++)
            {
                ReadOnlySpan<float> own = all.Slice(i * width, width);
                norms[i] += TensorPrimitives.Norm(own);
                for (int j = 0; j < i; j++)
                {
                    float cosine = TensorPrimitives.CosineSimilarity(own, all.Slice(j * width, width));
                    (cosines, pairs) = float.IsFinite(cosine) ? (cosines + cosine, pairs + 1) : (cosines, pairs);
                }
            }
        }

        figures.Add("streamCosine", pairs > 0 ? cosines / pairs : null, pairs > 0 ? GeometryStatus.Ok : GeometryStatus.Degenerate, "mean over tokens and pairs of streams", streams.Count);
        for (int i = 0; i < n; i++)
        {
            figures.Add("streamNorm." + i.ToString(CultureInfo.InvariantCulture), norms[i] / streams.Count, GeometryStatus.Ok, Mean, streams.Count);
        }
    }

    private static void WriteDepth(PointCloud weights, string of, FigureWriter figures)
    {
        double entropy = 0, embedding = 0, newest = 0;
        for (int token = 0; token < weights.Count; token++)
        {
            ReadOnlySpan<float> p = weights.Values.Slice(token * weights.Width, weights.Width);
            embedding += p[0];
            newest += p[^1];
            foreach (float weight in p)
            {
                entropy -= weight > 0 ? weight * Math.Log(weight) : 0;
            }
        }

        bool hasChoice = weights.Width > 1;
        figures.Add(
            of + "DepthEntropyShare", hasChoice ? entropy / weights.Count / Math.Log(weights.Width) : null, hasChoice ? GeometryStatus.Ok : GeometryStatus.TooFewPoints,
            "mean over tokens, ÷ ln of the values before", weights.Count);
        figures.Add(of + "EmbeddingWeight", embedding / weights.Count, GeometryStatus.Ok, Mean, weights.Count);
        figures.Add(of + "NewestWeight", newest / weights.Count, GeometryStatus.Ok, Mean, weights.Count);
    }
}
