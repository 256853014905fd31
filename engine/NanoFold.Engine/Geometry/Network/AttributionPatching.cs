using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Geometry.Network;

/// <summary>
/// Which parts of a model carry what a changed token changes. A token of each window is replaced by one of another; the value that a part then has, put in its place while the window is as
/// it was, changes the loss of the window's targets. That is the exact effect of the part; its estimate for all parts and places at once is (value then − value) · gradient (attribution patching,
/// Nanda 2023; Syed et al. 2023).
/// </summary>
internal sealed class AttributionPatching : IDisposable
{
    private readonly Transformer? _inDouble;
    private readonly SteeredPass _pass;
    private readonly double[][] _differences; // of each part, [W, T, C]
    private readonly double[] _clean; // loss of each window
    private readonly double[] _losses;
    private readonly double[] _given;
    private readonly int _width;

    /// <param name="network">Model and tokens; its task has losses of places.</param>
    /// <param name="windows">How many.</param>
    /// <param name="time">Places of each.</param>
    /// <param name="seed">Decides which tokens are changed.</param>
    public AttributionPatching(NetworkSample network, int windows, int time, ulong seed)
    {
        BatchRows batch = WindowBatch.Of(network, windows, time);
        (Windows, Time, _width) = (batch.Rows, Math.Min(time, network.Time), network.Model.Config.Width);
        Parts = [.. Enumerable.Range(0, network.Model.Config.Layers).SelectMany(layer => PartsOf(network.Model, layer))];
        _inDouble = WindowBatch.InDouble(network.Model);
        _pass = new SteeredPass(_inDouble ?? network.Model, network.Task, batch, SteerKind.Add, [.. Parts.Select(part => part.Name)], []);
        Changed = new int[Windows];
        Estimates = [.. Parts.Select(_ => new double[Windows * Time])];
        _differences = [.. Parts.Select(_ => new double[_pass.Elements])];
        (_losses, _given, _clean, Effects) = (new double[Windows * Time], new double[_pass.Elements], [], []);
        HasLosses = _pass.HasLosses;
        int[] tokens = batch.Integers(BatchField.Tokens).ToArray();
        if (HasLosses && Change(tokens, seed) is { } changed)
        {
            IsChanged = true;
            _pass.Run();
            _clean = Losses();
            Estimate(batch, changed, tokens);
            Effects = Effect(Losses());
            _pass.Read(batch);
        }
    }

    /// <summary>Outputs of mixers and feed-forwards, those that there are.</summary>
    public IReadOnlyList<FigurePoint> Parts { get; }

    /// <summary>W.</summary>
    public int Windows { get; }

    /// <summary>T.</summary>
    public int Time { get; }

    /// <summary>Whether the task's loss is one of places; otherwise there is nothing to measure.</summary>
    public bool HasLosses { get; }

    /// <summary>Whether there was another token for each window; otherwise there is nothing to measure.</summary>
    public bool IsChanged { get; }

    /// <summary>Whether it computes in double precision.</summary>
    public bool IsDouble => _inDouble is not null;

    /// <summary>The place of each window whose token is changed, [W].</summary>
    public int[] Changed { get; }

    /// <summary>What the changed token adds to the loss of each window, [W].</summary>
    public double[] Effects { get; }

    /// <summary>What each part at each place adds, by its gradient: [parts][W · T].</summary>
    public double[][] Estimates { get; }

    /// <summary>What a part adds over all places of a window, exactly: [W].</summary>
    public double[] Exact(int part)
    {
        _pass.Give(part, _differences[part]);
        _pass.RunForward();
        double[] effects = Effect(Losses());
        Array.Clear(_given);
        _pass.Give(part, _given);
        return effects;
    }

    /// <summary>What one part at one place of each window adds, exactly: [W].</summary>
    /// <param name="nodes">Part and place of each window.</param>
    public double[] Exact(ReadOnlySpan<(int Part, int Place)> nodes)
    {
        var touched = new HashSet<int>();
        foreach ((int part, _) in nodes)
        {
            touched.Add(part);
        }

        foreach (int part in touched)
        {
            Array.Clear(_given);
            for (int window = 0; window < nodes.Length; window++)
            {
                if (nodes[window].Part == part)
                {
                    int at = ((window * Time) + nodes[window].Place) * _width;
                    _differences[part].AsSpan(at, _width).CopyTo(_given.AsSpan(at));
                }
            }

            _pass.Give(part, _given);
        }

        _pass.RunForward();
        double[] effects = Effect(Losses());
        Array.Clear(_given);
        foreach (int part in touched)
        {
            _pass.Give(part, _given);
        }

        return effects;
    }

    public void Dispose()
    {
        _pass.Dispose();
        _inDouble?.Dispose();
    }

    private static IEnumerable<FigurePoint> PartsOf(Transformer model, int layer)
    {
        string[] names = [$"blocks.{layer}.hook_attn_out", $"blocks.{layer}.hook_mlp_out"];
        HashSet<string> there = [.. model.TapPoints.Select(point => point.Name)];
        return names.Where(there.Contains).Select(name => new FigurePoint(name, layer));
    }

    // In the first half of a window, so that something comes after it; null where all tokens are alike.
    private int[]? Change(int[] tokens, ulong seed)
    {
        int[] changed = [.. tokens];
        var random = new GaussianSource(seed);
        for (int window = 0; window < Windows; window++)
        {
            Changed[window] = random.NextInt(Math.Max(1, Time / 2));
            int at = (window * Time) + Changed[window], start = random.NextInt(tokens.Length);
            int other = Enumerable.Range(0, tokens.Length).Select(i => tokens[(start + i) % tokens.Length]).FirstOrDefault(token => token != tokens[at], -1);
            if (other < 0)
            {
                return null;
            }

            changed[at] = other;
        }

        return changed.Length > 0 ? changed : null;
    }

    private void Estimate(BatchRows batch, int[] changed, int[] tokens)
    {
        double[] value = new double[_pass.Elements], gradient = new double[_pass.Elements];
        for (int part = 0; part < Parts.Count; part++)
        {
            _pass.ReadValue(part, _differences[part]);
        }

        changed.CopyTo(batch.Integers(BatchField.Tokens));
        _pass.Read(batch);
        _pass.RunForward();
        tokens.CopyTo(batch.Integers(BatchField.Tokens));
        for (int part = 0; part < Parts.Count; part++)
        {
            // Gradients are those of the clean tokens still: only the values ran again.
            _pass.ReadGradient(part, gradient);
            _pass.ReadValue(part, value);
            TensorPrimitives.Subtract(value, _differences[part], _differences[part]);
            for (int place = 0; place < Windows * Time; place++)
            {
                Estimates[part][place] = TensorPrimitives.Dot<double>(_differences[part].AsSpan(place * _width, _width), gradient.AsSpan(place * _width, _width));
            }
        }
    }

    private double[] Losses()
    {
        _pass.ReadLosses(_losses);
        return [.. _losses.Chunk(Time).Select(window => window.Sum())];
    }

    private double[] Effect(double[] losses) => [.. losses.Zip(_clean, (changed, clean) => changed - clean)];
}
