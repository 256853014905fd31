using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>Keeps the residual stream before the first block and after each, at the tokens whose neighbors are searched, and if wanted as it was the time before.</summary>
internal sealed class StreamKeeper
{
    private const string Before = "hook_resid_pre", After = "hook_resid_post";

    private readonly SampledRows _rows;
    private PointCloud[] _now;
    private PointCloud[] _kept = [];
    private PointCloud[]? _before;
    private long _beforeStep = -1;

    public StreamKeeper(Backend backend, SampledRows points, ProbeShape shape, int mostNeighbors, int layers, bool keepsBefore)
    {
        _rows = points.Later(shape.Neighbors, shape.Time);
        PointCloud[] New() => [.. Enumerable.Range(0, layers + 1).Select(_ => new PointCloud(_rows, _rows.Count, mostNeighbors, backend))];
        _now = New();
        _before = keepsBefore ? New() : null;
    }

    /// <summary>What must be read of a block.</summary>
    public static IReadOnlyList<Want> Wants { get; } = [new(Before), new(After)];

    /// <summary>Values kept for each value of a token.</summary>
    public long ElementsPerWidth => (long)_rows.Count * _now.Length * (_before is null ? 1 : 2);

    /// <summary>Takes over what the tokens [B, T] are.</summary>
    public void Read(ReadOnlySpan<int> tokens, ReadOnlySpan<int> documents, IReadOnlyList<LabelColumn> labels) => _rows.Read(tokens, documents, labels);

    /// <summary>Keeps what comes out of a block, and what goes into the first one, with the neighbors where they were searched.</summary>
    public void Keep(BlockSample block)
    {
        if (block.Layer == 0)
        {
            Copy(block.Cloud(Before)!, _now[0], block.Layer);
        }

        Copy(block.Cloud(After)!, _now[block.Layer + 1], block.Layer);
    }

    /// <summary>What was kept.</summary>
    public PassSample Pass(long step, ParameterStore store, NetworkSample? network = null)
    {
        _kept = _now;
        return new()
        {
            Streams = _now, Before = _beforeStep >= 0 ? _before : null, StepsSince = step - _beforeStep, Store = store, Network = network,
        };
    }

    /// <summary>What was kept in the last pass, in memory of its own.</summary>
    public IReadOnlyList<PointCloud> Copy() => [.. _kept.Select(cloud => cloud.Copy())];

    /// <summary>What is kept now is what was before, the next time.</summary>
    public void Turn(long step) => (_now, _before, _beforeStep) = (_before!, _now, step);

    private static void Copy(PointCloud from, PointCloud to, int layer)
    {
        from.NeighborValues.CopyTo(to.Begin(from.Point, layer, from.Width));
        to.Graph = from.Graph;
    }
}
