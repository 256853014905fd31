using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Autograd;

/// <summary>
/// A tape made ready to run: the order of forward, recomputed and backward calls, and one arena in which every activation,
/// gradient and scratch has its place for as long as it lives. Running it allocates nothing.
/// </summary>
public sealed class Plan : IDisposable
{
    private readonly PlanBuilder _builder;
    private PlanStep[] _steps = [];
    private PlanStep[] _joined = [];
    private DeviceBuffer? _arena;
    private Replay? _replay;

    /// <param name="tape">What to run.</param>
    /// <param name="recompute">Drop the inner activations of segments and compute them again for the backward pass.</param>
    /// <param name="overwrites">
    /// Whether a run begins the gradients of parameters, whatever stood there before, rather than adding to them. Those of parameters that have no part in it
    /// (<see cref="WritesGradient"/>) are left alone.
    /// </param>
    /// <exception cref="UserException">A tap's pattern matches no point of the tape.</exception>
    public Plan(Tape tape, bool recompute = false, bool overwrites = false)
    {
        tape.Taps?.RequireMatches();
        Tape = tape;
        _builder = new PlanBuilder(tape, recompute, overwrites);
        ArenaBytes = _builder.Build();
    }

    public Tape Tape { get; }

    /// <summary>Bytes of activations, gradients and scratch at their peak: known before anything runs.</summary>
    public long ArenaBytes { get; }

    /// <summary>Number of calls of one run.</summary>
    public int CallCount => _builder.StepCount;

    /// <summary>Whether a run writes to the gradient of a parameter.</summary>
    public bool WritesGradient(Parameter parameter) => _builder.WritesGradient(parameter);

    /// <summary>What it holds and moves in each pass.</summary>
    public PlanProfile Profile() => _builder.Profile();

    /// <summary>Gives the plan its memory; it may be shared with other plans that do not run at the same time.</summary>
    public void Bind(DeviceBuffer arena)
    {
        if (arena.Bytes < ArenaBytes)
        {
            throw new ArgumentException($"plan: needs an arena of {ArenaBytes} bytes, got {arena.Bytes}");
        }

        if (!ReferenceEquals(_arena, arena))
        {
            _arena = arena;
            _steps = _builder.Resolve(arena);
            _joined = [.. _builder.Joined(_steps)];
            _replay?.Dispose();
            _replay = Tape.Nodes.Any(n => n.Op.ReadsBack) ? null : new Replay(Tape.Backend, () => Run(null));
        }
    }

    /// <summary>Runs the recorded pass once; with losses on a training tape also backward. Gradients of parameters accumulate, if they are not to be overwritten.</summary>
    public void Run()
    {
        if (_replay is not null)
        {
            _replay.Run();
        }
        else
        {
            Run(null);
        }
    }

    /// <summary>Runs the forward pass alone: the losses, and no gradients.</summary>
    internal void RunForward()
    {
        Backend backend = Tape.Backend;
        foreach (PlanStep step in _joined)
        {
            if (step.IsBackward)
            {
                return;
            }

            step.Run(backend);
        }
    }

    /// <summary>Lets go of what the device recorded; the memory that it was bound to is its owner's.</summary>
    public void Dispose() => _replay?.Dispose();

    /// <summary>As <see cref="Run()"/>; each call is noted in <paramref name="log"/> with its <see cref="PlanStep"/> as the source.</summary>
    internal void Run(EventLog? log)
    {
        if (_arena is null)
        {
            throw new InvalidOperationException("plan: run before it was bound to memory");
        }

        Backend backend = Tape.Backend;
        // To be noted each by itself they are run so.
        foreach (PlanStep step in log is null ? _joined : _steps)
        {
            log?.Begin(EventKind.Op, step);
            step.Run(backend);
            log?.End();
        }
    }

    /// <summary>As <see cref="Run()"/>, but only as far as it is to go on: asked after each call that waits for the device, as readers do.</summary>
    internal void RunWhile(Func<bool> goesOn)
    {
        Backend backend = Tape.Backend;
        foreach (PlanStep step in _joined)
        {
            step.Run(backend);
            if (step.ReadsBack && !goesOn())
            {
                return;
            }
        }
    }

    /// <summary>A kept value's memory, after a run.</summary>
    public View this[Tensor tensor] => _builder.View(tensor, _arena ?? throw new InvalidOperationException("plan: read before it was bound to memory"));
}
