using NanoFold.Engine.Autograd;

namespace NanoFold.Engine.Geometry;

/// <summary>Reads the points of one block as they are computed and makes a <see cref="LayerGeometry"/> of them.</summary>
internal sealed class LayerReader
{
    // Neighbours and their calibration cost N²: as many as fit into a small share of the time of a short run.
    private const int DimensionPoints = 1000;

    private readonly int _layer;
    private readonly string _prefix;
    private readonly int _width;
    private readonly StreamingMoments _moments;
    private readonly AttentionStatistics _attention;
    private float[] _before = [];
    private float[] _value = [];
    private float[] _inner = [];
    private PositionSplit<UpdateSummary>? _mixer;
    private PositionSplit<UpdateSummary>? _feedForward;
    private PositionSplit<RowSummary>? _residual;
    private GateStatistics? _gate;
    private double[]? _load;
    private CalibratedDimension? _dimension;
    private bool _hasPattern;

    public LayerReader(int layer, int width, int heads)
    {
        _layer = layer;
        _width = width;
        _prefix = $"blocks.{layer}.";
        _moments = new StreamingMoments(width);
        _attention = new AttentionStatistics(heads);
    }

    /// <summary>As in <c>blocks.3.</c>.</summary>
    public string Prefix => _prefix;

    /// <summary>Whether the next run also estimates the intrinsic dimension.</summary>
    public bool WithDimension { get; set; }

    public void Read(TapValue value)
    {
        int batch = value.Layout[0];
        switch (value.Name[_prefix.Length..])
        {
            case "hook_resid_pre":
            case "hook_resid_mid":
                Copy(value, ref _before);
                break;
            case "hook_attn_out":
                _mixer = Update(value);
                break;
            case "hook_mlp_out":
                _feedForward = Update(value);
                break;
            case "attn.hook_pattern":
                ReadPattern(value, batch);
                break;
            case "attn.hook_gate":
                _gate = GateStatistics.Measure(Copy(value, ref _inner));
                break;
            case "mlp.hook_expert_load":
                _load = Array.ConvertAll(value.ToArray(), v => (double)v);
                break;
            case "hook_resid_post":
                ReadResidual(value);
                break;
        }
    }

    public LayerGeometry Take()
    {
        var geometry = new LayerGeometry(_layer, _residual!, _mixer!, _feedForward!, _moments.Summarize(),
            _hasPattern ? _attention.Overall() : null, _gate, _load, LoadEntropy(), WithDimension ? _dimension : null);
        _attention.Clear();
        _hasPattern = false;
        (_gate, _load, _dimension) = (null, null, null);
        return geometry;
    }

    private static ReadOnlySpan<float> Copy(TapValue value, ref float[] target)
    {
        if (target.Length < value.Count)
        {
            target = new float[value.Count];
        }

        value.CopyTo(target);
        return target.AsSpan(0, value.Count);
    }

    private PositionSplit<UpdateSummary> Update(TapValue value)
    {
        ReadOnlySpan<float> delta = Copy(value, ref _value);
        return RowStatistics.Updates(_before.AsSpan(0, delta.Length), delta, delta.Length / _width, _width, value.Layout[1]);
    }

    private void ReadPattern(TapValue value, int batch)
    {
        ReadOnlySpan<float> pattern = Copy(value, ref _inner);
        int one = pattern.Length / batch;
        for (int b = 0; b < batch; b++)
        {
            _attention.Add(pattern.Slice(b * one, one), value.Layout[2]);
        }

        _hasPattern = true;
    }

    private void ReadResidual(TapValue value)
    {
        ReadOnlySpan<float> rows = Copy(value, ref _value);
        int time = value.Layout[1];
        _residual = RowStatistics.Rows(rows, rows.Length / _width, _width, time);
        ReadOnlySpan<float> later = WithoutFirst(rows, time);
        int count = later.Length / _width;
        _moments.Clear();
        _moments.Add(later, count);
        if (WithDimension)
        {
            int points = Math.Min(count, DimensionPoints);
            NeighbourGraph graph = NearestNeighbours.Search(later[..(points * _width)], points, _width, 2);
            _dimension = GaussianCalibration.Calibrate(DimensionMethod.TwoNNFit().Estimate(graph), _width);
        }
    }

    // Position 0 holds outliers (massive activations): spectra and dimensions are taken without it.
    private ReadOnlySpan<float> WithoutFirst(ReadOnlySpan<float> rows, int time)
    {
        if (time == 1)
        {
            return rows;
        }

        int sequences = rows.Length / _width / time, kept = (time - 1) * _width;
        if (_inner.Length < sequences * kept)
        {
            _inner = new float[sequences * kept];
        }

        for (int s = 0; s < sequences; s++)
        {
            rows.Slice((s * time + 1) * _width, kept).CopyTo(_inner.AsSpan(s * kept));
        }

        return _inner.AsSpan(0, sequences * kept);
    }

    private double? LoadEntropy()
    {
        if (_load is not { Length: > 1 } load)
        {
            return null;
        }

        return -load.Where(f => f > 0).Sum(f => f * Math.Log(f)) / Math.Log(load.Length);
    }
}
