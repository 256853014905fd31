using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>A pass of the probe's tokens through a model's body with readers and editors of its own, as often as it is run.</summary>
internal sealed class NetworkPass : IDisposable
{
    private readonly BatchBuffers _buffers;
    private readonly StepState _state;
    private readonly SharedArena _arena;
    private readonly Plan _plan;

    /// <param name="network">Model and tokens.</param>
    /// <param name="readers">What is read.</param>
    /// <param name="editors">What is edited.</param>
    /// <param name="training">Whether gradients flow.</param>
    public NetworkPass(NetworkSample network, IEnumerable<ITapReader> readers, IEnumerable<ITapEditor>? editors = null, bool training = false)
    {
        Backend backend = network.Backend;
        _buffers = new BatchBuffers(backend, network.Rows.Fields, network.Batch, DType.Float32);
        _buffers.Upload(network.Rows);
        _state = backend.NewState();
        // What losses are multiplied with, and divided by.
        _state.Set(StepSlot.LossScale, 1.0);
        _state.Set(StepSlot.MicroBatchCount, 1L);
        _arena = new SharedArena(backend);
        var tape = new Tape(backend, training: training, taps: new TapSet(readers, editors)) { State = _state, Drops = false };
        tape.Keep(network.Task.RecordBody(tape, network.Model, _buffers.On(tape)));
        _plan = new Plan(tape);
        _arena.Bind(_plan);
    }

    /// <summary>Runs the pass once.</summary>
    public void Run() => _plan.Run();

    /// <summary>Runs the pass as far as it is to go on, asked after each reader.</summary>
    public void Run(Func<bool> goesOn) => _plan.RunWhile(goesOn);

    public void Dispose()
    {
        _plan.Dispose();
        _arena.Dispose();
        _state.Dispose();
        _buffers.Dispose();
    }

    /// <summary>Hands what is at a point to an action.</summary>
    /// <param name="pattern">The point's full name, or a pattern.</param>
    /// <param name="read">Told the name, the values and their shape.</param>
    /// <param name="rows">Which tokens; null for all.</param>
    internal sealed class Reader(string pattern, Action<string, float[], int[]> read, TapRows? rows = null) : ITapReader
    {
        public string Pattern => pattern;

        public TapRows? Rows => rows;

        // What a model does not have is not measured.
        public bool IsOptional => true;

        public void Read(TapValue value) => read(value.Name, value.ToArray(), value.Layout.ToShape());
    }
}
