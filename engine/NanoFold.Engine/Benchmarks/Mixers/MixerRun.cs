using NanoFold.Engine.Autograd;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Benchmarks.Mixers;

/// <summary>Seconds of a run of both passes: of mixing, forward and backward, and of the linear layers around it.</summary>
internal readonly record struct MixerSeconds(double Forward, double Backward, double Linear)
{
    /// <summary>Both passes of mixing.</summary>
    public double Mixing => Forward + Backward;
}

/// <summary>A <see cref="MixerCase"/> recorded: both passes over the whole context, and a chunk or a token of decoding.</summary>
internal sealed class MixerRun : IDisposable
{
    private const int Chunk = 64;
    private const ulong Seed = 1;
    private const int InitialEvents = 1 << 8;
    // Beyond what a mixer may warm up for.
    private const long Step = 1L << 40;

    private readonly Backend _backend;
    private readonly ModelConfig _model;
    private readonly ParameterStore _store;
    private readonly TableStore _tables;
    private readonly Mixer _mixer;
    private readonly Parameter _input;
    private readonly EventLog _log = new(InitialEvents);
    private readonly List<IDisposable> _owned = [];

    public MixerRun(MixerCase shape, Backend backend)
    {
        _backend = backend;
        _model = shape.Model;
        _store = new ParameterStore(backend);
        _tables = new TableStore(backend, _store.Type);
        _input = _store.Add("x", Layout.Of(shape.Batch, shape.Context, _model.Width), ParameterRole.Matrix, Initializer.Normal(1));
        _mixer = _model.Mixer.Build(new ModuleBuilder(_store, _tables, _model).In("mixer"));
        _store.Allocate(Seed);
        Training = Record();
        _log.Clock = backend.NewClock();
    }

    /// <summary>Both passes; to be bound where it is to run.</summary>
    public Plan Training { get; }

    /// <summary>Bytes of what decoding one sequence keeps.</summary>
    public long StateBytes => _mixer.State(1, 1).Sum(slot => slot.Layout.Count * slot.Type.Size());

    /// <summary>Whether a call is a linear layer's: the same in most kinds, and not what a kind is about.</summary>
    public static bool IsLinear(PlanStep step) => step.Call?.Node.Op is LinearOp;

    /// <summary>Gives both passes their memory.</summary>
    public void Bind()
    {
        SetState();
        Training.Bind(Own(_backend.Allocate(Training.ArenaBytes)));
    }

    /// <summary>Runs both passes once; each call is timed.</summary>
    public MixerSeconds Run()
    {
        SetState();
        _log.IsOn = true;
        do
        {
            _log.Clear();
            Training.Run(_log);
        }
        while (_log.Dropped > 0 && !_log.Reserve());

        _log.IsOn = false;
        _backend.Synchronize();
        _log.Resolve();
        double forward = 0, backward = 0, linear = 0;
        foreach (ref readonly ProfileEvent noted in _log.Events)
        {
            if (noted.Kind != EventKind.Op)
            {
                continue;
            }

            var step = (PlanStep)noted.Source;
            double seconds = (double)(noted.Ended - noted.Started) / System.Diagnostics.Stopwatch.Frequency;
            if (IsLinear(step))
            {
                linear += seconds;
            }
            else if (step.IsBackward)
            {
                backward += seconds;
            }
            else
            {
                forward += seconds;
            }
        }

        return new MixerSeconds(forward, backward, linear);
    }

    /// <summary>Reads all but the last tokens of a context into a new state and returns what then reads one token more, at the same place each time.</summary>
    public Action Decoding()
    {
        int chunk = Math.Min(Chunk, Math.Max(1, _model.Context - 1)), chunks = Math.Max(0, (_model.Context - 1) / chunk);
        DecodeCache cache = Own(new DecodeCache(_backend, [_mixer.State(1, chunk)], 1, chunk));
        View inputs = New(DType.Float32, 1, chunk, _model.Width), numbers = New(DType.Int32, 2), ids = New(DType.Int32, 1, chunk);
        var values = new float[inputs.Count];
        var random = new Random(1);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)((2 * random.NextDouble()) - 1);
        }

        _backend.Write(values, inputs);
        cache.Begin(0);
        Plan reading = Decode(cache, inputs, numbers, ids, chunk), writing = Decode(cache, inputs, numbers, ids, 1);
        DeviceBuffer arena = Own(_backend.Allocate(Math.Max(reading.ArenaBytes, writing.ArenaBytes)));
        reading.Bind(arena);
        writing.Bind(arena);
        for (int i = 0; i < chunks; i++)
        {
            Place(numbers, ids, i * chunk, chunk);
            reading.Run();
        }

        Place(numbers, ids, chunks * chunk, 1);
        return writing.Run;
    }

    public void Dispose()
    {
        Training.Dispose();
        _owned.ForEach(owned => owned.Dispose());
        _log.Clock?.Dispose();
        _store.Dispose();
        _tables.Dispose();
    }

    private Plan Record()
    {
        var tape = new Tape(_backend, _store.Type, training: true) { State = Own(_backend.NewState()) };
        Tensor x = tape.Use(_input);
        // The sum of the result: its gradient is 1 everywhere, which costs no op of its own.
        tape.AddLoss(_mixer.Forward(new ForwardContext { Tape = tape, Batch = x[0], Time = x[1] }, x));
        return new Plan(tape);
    }

    private Plan Decode(DecodeCache cache, in View inputs, in View numbers, in View ids, int chunk)
    {
        var tape = new Tape(_backend, _store.Type);
        Layout row = Layout.Of(1, chunk);
        Tensor x = tape.External("x", inputs.With(Layout.Of(1, chunk, _model.Width), 0));
        tape.Keep(_mixer.Forward(
            new ForwardContext
            {
                Tape = tape,
                Batch = 1,
                Time = chunk,
                Positions = tape.External("positions", numbers.With(Layout.Of(1), 0)),
                Counts = tape.External("counts", numbers.With(Layout.Of(1), 1)),
                PositionIds = tape.External("position ids", ids.With(row, 0)),
                Cache = cache,
            },
            x));
        return new Plan(tape);
    }

    private void Place(in View numbers, in View ids, int position, int count)
    {
        _backend.Upload<int>([position, count], numbers);
        _backend.Upload<int>([.. Enumerable.Range(position, (int)ids.Count)], ids);
    }

    private void SetState()
    {
        Training.Tape.State.Set(StepSlot.Step, Step);
        Training.Tape.State.Set(StepSlot.TargetCount, _input.Layout[0] * (long)_input.Layout[1]);
        Training.Tape.State.Set(StepSlot.MicroBatchCount, 1L);
    }

    private View New(DType type, params ReadOnlySpan<int> shape)
    {
        Layout layout = Layout.Of(shape);
        return new View(Own(_backend.Allocate(layout.Count * type.Size())), 0, layout, type);
    }

    private T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }
}
