using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Tests.Suites;

/// <summary>Feeds a batch to a model in chunks through its cache, one recording replayed.</summary>
internal sealed class Decoding : IDisposable
{
    private readonly TinyModel _model;
    private readonly int _chunk;
    private readonly List<IDisposable> _owned = [];
    private readonly View _tokens;
    private readonly View _positions;
    private readonly View _positionIds;
    private readonly View _counts;
    private readonly Tensor _logits;
    private readonly Plan _plan;

    public Decoding(TinyModel model, int chunk, TapSet? taps = null)
    {
        _model = model;
        _chunk = chunk;
        Backend backend = model.Model.Backend;
        Cache = model.Model.NewCache(model.Batch, chunk);
        _owned.Add(Cache);
        _tokens = Host.New(backend, [model.Batch, chunk], new int[model.Batch * chunk], _owned);
        _positionIds = Host.New(backend, [model.Batch, chunk], new int[model.Batch * chunk], _owned);
        _positions = Host.New(backend, [model.Batch], new int[model.Batch], _owned);
        _counts = Host.New(backend, [model.Batch], new int[model.Batch], _owned);
        var tape = new Tape(backend, model.Store.Type, taps: taps);
        _logits = model.Model.RecordDecode(tape, tape.External("tokens", _tokens), tape.External("positions", _positions),
            tape.External("position ids", _positionIds), tape.External("counts", _counts), Cache);
        tape.Keep(_logits);
        _plan = new Plan(tape);
        DeviceBuffer arena = backend.Allocate(_plan.ArenaBytes);
        _owned.Add(arena);
        Host.FillNaN(backend, arena);
        _plan.Bind(arena);
    }

    public DecodeCache Cache { get; }

    /// <summary>Logits [B · T · V] of the model's tokens; row b brings <paramref name="count"/>(b, call) of them at a call, at most a chunk.</summary>
    public double[] Run(Func<int, int, int> count)
    {
        int batch = _model.Batch, time = _model.Time, vocab = _model.Model.Config.Vocab;
        var result = new double[batch * time * vocab];
        var done = new int[batch];
        for (int row = 0; row < batch; row++)
        {
            Cache.Begin(row);
        }

        for (int call = 0; done.Any(d => d < time); call++)
        {
            int[] counts = [.. done.Select((d, b) => Math.Min(count(b, call), time - d))];
            double[] logits = Step(done, counts);
            for (int b = 0; b < batch; b++)
            {
                Array.Copy(logits, b * _chunk * vocab, result, (b * time + done[b]) * vocab, counts[b] * vocab);
                done[b] += counts[b];
            }
        }

        return result;
    }

    public void Dispose() => _owned.ForEach(o => o.Dispose());

    private double[] Step(int[] done, int[] counts)
    {
        Backend backend = _model.Model.Backend;
        var tokens = new double[_model.Batch * _chunk];
        var ids = new double[tokens.Length];
        for (int i = 0; i < tokens.Length; i++)
        {
            int b = i / _chunk, t = i % _chunk;
            // What comes after a row's count is padding.
            tokens[i] = t < counts[b] ? _model.Tokens[b * _model.Time + done[b] + t] : 0;
            ids[i] = t < counts[b] ? done[b] + t : 0;
        }

        Host.Write(backend, _tokens, tokens);
        Host.Write(backend, _positionIds, ids);
        Host.Write(backend, _positions, Array.ConvertAll(done, d => (double)d));
        Host.Write(backend, _counts, Array.ConvertAll(counts, c => (double)c));
        _plan.Run();
        return Host.Read(backend, _plan[_logits]);
    }
}
