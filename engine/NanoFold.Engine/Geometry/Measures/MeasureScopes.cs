using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Looks at one point of every block: the residual stream after it, unless another one is named.</summary>
public abstract record PointMeasure : Measure
{
    /// <summary>The residual stream after a block.</summary>
    internal const string Stream = "hook_resid_post";

    // Of residual connections with several streams.
    private static readonly string[] s_streams = ["hook_streams_pre", "hook_streams_mid", "hook_streams_post"];

    private static readonly string[] s_points =
    [
        "hook_resid_pre", "ln1.hook_normalized", "ln1_post.hook_normalized", "hook_attn_out", "hook_resid_mid", "ln2.hook_normalized", "ln2_post.hook_normalized", "hook_mlp_out", Stream,
    ];

    /// <summary>The point within a block, one of those of the stream's width; or of several streams, each of which is measured alone.</summary>
    public string Point { get; init; } = Stream;

    /// <inheritdoc/>
    public sealed override IReadOnlyList<Want> Wants => [new(Point)];

    /// <summary>Measures a block's cloud.</summary>
    public abstract void Take(PointCloud cloud, FigureWriter figures);

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(string path)
    {
        if (!s_points.Contains(Point) && !s_streams.Contains(Point))
        {
            yield return new ConfigProblem($"{path}.point", $"\"{Point}\" is not one of {string.Join(", ", s_points.Concat(s_streams))}");
        }
    }

    internal sealed override IEnumerable<PlacedMeasure> AfterBlock(BlockSample block)
    {
        PointCloud? cloud = block.Cloud(Point);
        for (int stream = 0; cloud is { Parts: > 1 } && stream < cloud.Parts; stream++)
        {
            int of = stream;
            yield return new(new FigurePlace("stream", cloud.Point, block.Layer, Stream: of), figures => Take(cloud.Part(of), figures));
        }

        if (cloud is { Parts: 1 })
        {
            yield return new(new FigurePlace("point", cloud.Point, block.Layer), figures => Take(cloud, figures));
        }
    }
}

/// <summary>Looks at several points of a block together, at values that are not of tokens, or at stretches of tokens.</summary>
public abstract record BlockMeasure : Measure
{
    /// <summary>Measures a block; writes nothing where the block has nothing of the kind.</summary>
    public abstract void Take(BlockSample block, FigureWriter figures);

    internal sealed override IEnumerable<PlacedMeasure> AfterBlock(BlockSample block)
    {
        yield return new(new FigurePlace("block", block.Name, block.Layer), figures => Take(block, figures));
    }
}

/// <summary>Looks at each head's attention, at sampled queries.</summary>
public abstract record HeadMeasure : Measure
{
    /// <inheritdoc/>
    public sealed override IReadOnlyList<Want> Wants => [new("attn.hook_pattern", SampleKind.Queries)];

    /// <summary>Measures one head.</summary>
    public abstract void Take(PatternSample pattern, int head, FigureWriter figures);

    internal sealed override IEnumerable<PlacedMeasure> AfterBlock(BlockSample block)
    {
        for (int head = 0; head < (block.Pattern?.Heads ?? 0); head++)
        {
            int of = head;
            yield return new(new FigurePlace("head", $"{block.Name}.attn.hook_pattern", block.Layer, of), figures => Take(block.Pattern!, of, figures));
        }
    }
}

/// <summary>Compares the residual stream at two places of the model: each layer with the next, or all with one another.</summary>
public abstract record PairMeasure : Measure
{
    /// <summary>Compare each with all others, in place of the next one.</summary>
    public bool AllPairs { get; init; }

    /// <inheritdoc/>
    public override int Tier => 2;

    internal sealed override bool NeedsStreams => true;

    /// <summary>Compares two clouds over the same tokens.</summary>
    public abstract void Take(PointCloud first, PointCloud second, FigureWriter figures);

    internal sealed override IEnumerable<PlacedMeasure> AfterPass(PassSample pass)
    {
        for (int i = 0; i < pass.Streams.Count; i++)
        {
            for (int j = i + 1; j < (AllPairs ? pass.Streams.Count : Math.Min(i + 2, pass.Streams.Count)); j++)
            {
                (PointCloud first, PointCloud second) = (pass.Streams[i], pass.Streams[j]);
                yield return new(new FigurePlace("pair", first.Point, second.Layer, Other: second.Point), figures => Take(first, second, figures));
            }
        }
    }
}

/// <summary>Compares the residual stream with itself as it was when measured the time before.</summary>
public abstract record StepMeasure : Measure
{
    internal sealed override bool NeedsStreams => true;

    internal sealed override bool NeedsBefore => true;

    /// <summary>Compares two clouds over the same tokens at the same point.</summary>
    /// <param name="before">As it was.</param>
    /// <param name="now">As it is.</param>
    /// <param name="steps">Steps between them.</param>
    /// <param name="figures">Where the figures go.</param>
    public abstract void Take(PointCloud before, PointCloud now, long steps, FigureWriter figures);

    internal sealed override IEnumerable<PlacedMeasure> AfterPass(PassSample pass)
    {
        for (int i = 1; pass.Before is { } before && i < pass.Streams.Count; i++)
        {
            (PointCloud first, PointCloud second) = (before[i], pass.Streams[i]);
            yield return new(new FigurePlace("step", second.Point, second.Layer), figures => Take(first, second, pass.StepsSince, figures));
        }
    }
}

/// <summary>Looks at the residual stream of all layers together.</summary>
public abstract record ModelMeasure : Measure
{
    internal sealed override bool NeedsStreams => true;

    /// <summary>Measures the stream before the first block and after each, over the same tokens.</summary>
    public abstract void Take(IReadOnlyList<PointCloud> streams, FigureWriter figures);

    internal sealed override IEnumerable<PlacedMeasure> AfterPass(PassSample pass)
    {
        yield return new(new FigurePlace("model", PointMeasure.Stream), figures => Take(pass.Streams, figures));
    }
}

/// <summary>Looks at the matrices of the model's parameters.</summary>
public abstract record WeightMeasure : Measure
{
    /// <inheritdoc/>
    public override int Tier => 1;

    internal override bool IsOfTokens => false;

    /// <summary>Measures one matrix.</summary>
    public abstract void Take(WeightSample weights, FigureWriter figures);

    internal sealed override IEnumerable<PlacedMeasure> AfterPass(PassSample pass)
    {
        foreach (Parameter parameter in pass.Store.Parameters.Where(p => p.Layout.Rank > 1))
        {
            var place = new FigurePlace("weights", parameter.Name, WeightSample.LayerOf(parameter));
            yield return new(place, figures => Take(WeightSample.Of(pass.Store, parameter), figures));
        }
    }
}
