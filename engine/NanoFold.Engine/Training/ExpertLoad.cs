using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>What the router of a layer sent where in one step, all micro-batches together.</summary>
public sealed class ExpertLoad
{
    private readonly Router _router;
    private readonly int[] _counts;
    private readonly float[] _shares;

    internal ExpertLoad(Router router)
    {
        _router = router;
        _counts = new int[router.Experts + 1];
        _shares = new float[router.Experts];
    }

    /// <summary>The layer, from 0.</summary>
    public int Layer => _router.Layer;

    /// <summary>Share of the (token, slot) pairs that each expert was sent, [E], those that it dropped included.</summary>
    public IReadOnlyList<float> Shares => _shares;

    /// <summary>Entropy of the shares ÷ ln E: 1 is even, 0 a single expert; 1 of one expert.</summary>
    public double Entropy { get; private set; }

    /// <summary>(Token, slot) pairs of the step.</summary>
    public long Pairs { get; private set; }

    /// <summary>Of these, pairs that experts dropped because they were full.</summary>
    public long Dropped { get; private set; }

    internal void Read(ParameterStore store)
    {
        store.Backend.Download<int>(store.Counts(_router), _counts);
        Pairs = 0;
        for (int e = 0; e < _shares.Length; e++)
        {
            Pairs += _counts[e];
        }

        double entropy = 0;
        for (int e = 0; e < _shares.Length; e++)
        {
            double share = Pairs > 0 ? _counts[e] / (double)Pairs : 0;
            entropy -= share > 0 ? share * Math.Log(share) : 0;
            _shares[e] = (float)share;
        }

        Entropy = _shares.Length > 1 ? entropy / Math.Log(_shares.Length) : 1;
        Dropped = _counts[^1];
    }
}
