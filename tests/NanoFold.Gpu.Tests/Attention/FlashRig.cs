using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>One attention problem whose kernels' text runs on the host: forward, then backward by two kernels or by one.</summary>
internal sealed class FlashRig : IDisposable
{
    private readonly CpuBackend _backend = new(1);
    private readonly AttentionCase _problem;
    private readonly Memory _memory;
    private readonly AttentionRig _rig;
    private readonly AttentionShape _shape;

    public FlashRig(AttentionCase problem, DType type)
    {
        _problem = problem;
        _memory = new Memory(_backend);
        _rig = new AttentionRig(_backend, problem, type);
        _shape = new AttentionShape("attention", _rig.Args);
        Gradients = _rig.Gradients(FlashRun.ScratchBytes(true, true, _rig.Args));
    }

    /// <summary>Whether one kernel computes all gradients.</summary>
    public bool IsOne { get; init; }

    /// <summary>Whether the forward pass goes by warpgroups, and by which kernel where it is not the chosen one.</summary>
    public bool IsByWarpgroups { get; init; }

    public HopperSpec? Spec { get; init; }

    /// <summary>The same of the backward pass.</summary>
    public bool IsBackwardByWarpgroups { get; init; }

    public HopperGradientSpec? GradientSpec { get; init; }

    /// <summary>What the text of the forward pass by warpgroups is changed to, and tensor maps.</summary>
    public Func<string, string>? EditForward { get; set; }

    public Func<TensorMap, TensorMap>? EditMap { get; set; }

    public PtxSchedule Schedule { get; set; } = new();

    /// <summary>Whether kernels may be started while the one before them runs.</summary>
    public bool StartsEarly { get; init; }

    /// <summary>Whether accesses without an order are sought in the backward pass.</summary>
    public bool SeeksRaces { get; init; }

    /// <summary>What the text of the backward pass is changed to.</summary>
    public Func<string, string>? Edit { get; set; }

    public AttentionGradients Gradients { get; set; }

    /// <summary>By which gradients of queries and keys are turned back.</summary>
    public HeadRotation? Rotation { get; init; }

    /// <summary>Cycles of shared memory, and those that are lost as lanes met in a bank.</summary>
    public (long All, long Lost) Cycles { get; private set; }

    /// <summary>Boxes that were copied by tensor maps.</summary>
    public long Loads { get; private set; }

    /// <summary>Launches of the backward pass by warpgroups.</summary>
    public int BackwardWarpgroupLaunches { get; private set; }

    /// <summary>Times that a warp waited for its turn.</summary>
    public long Waits { get; private set; }

    /// <summary>Instructions run by a warp, by kernel.</summary>
    public Dictionary<FlashPass, long> Instructions { get; } = [];

    /// <summary>y, log-sum-exp, dq, dk, dv.</summary>
    public float[][] Run()
    {
        Forward();
        return Backward();
    }

    /// <summary>y, log-sum-exp.</summary>
    public float[][] Forward()
    {
        using FlashMachine device = Device();
        Assert.That(FlashRun.Fits(device, _shape, _rig.Args, Gradients));
        FlashRun.Forward(device, _shape, _rig.Args);
        Assert.That(device.WarpgroupLaunches > 0, Is.EqualTo(IsByWarpgroups));
        Note(device);
        return [_memory.Read(_rig.Y), _memory.Read(_rig.LogSumExp)];
    }

    /// <summary>The same where the forward pass has run.</summary>
    public float[][] Backward()
    {
        Prepare();
        using FlashMachine device = Device();
        Assert.That(Rotation is null || FlashRun.CanTurnBack(device, _shape, Rotation.Value));
        FlashRun.Backward(device, _shape, _rig.Args, Gradients, Rotation);
        BackwardWarpgroupLaunches += device.WarpgroupLaunches;
        Note(device);
        _rig.AssertMargins();
        return _rig.Results();
    }

    public void Dispose()
    {
        _rig.Dispose();
        _memory.Dispose();
        _backend.Dispose();
    }

    private FlashMachine Device()
    {
        Visible visible = _rig.Args.Visible;
        return new FlashMachine([_rig.Q, _rig.K, _rig.V, _rig.Y, _rig.LogSumExp, _rig.DY, visible.Documents, visible.Prefixes, Rotation?.Table ?? default, Rotation?.Positions ?? default], [_rig.DQ, _rig.DK, _rig.DV, Gradients.Scratch])
        {
            HasOneBackward = IsOne, HasWarpgroups = IsByWarpgroups, HasWarpgroupGradients = IsBackwardByWarpgroups, Spec = Spec, GradientSpec = GradientSpec, EditForward = EditForward, EditMap = EditMap, Schedule = Schedule, SeeksRaces = SeeksRaces, Edit = Edit, StartsEarly = StartsEarly,
        };
    }

    private void Note(FlashMachine device)
    {
        Cycles = (Cycles.All + device.SharedCycles, Cycles.Lost + device.ConflictCycles);
        Waits += device.Waits;
        Loads += device.Loads;
        foreach ((FlashPass pass, long count) in device.WarpInstructions)
        {
            Instructions[pass] = Instructions.GetValueOrDefault(pass) + count;
        }
    }

    /// <summary>What <see cref="DeltaWork{T}"/> does, on the host; what else is in the scratch is spoilt.</summary>
    private void Prepare()
    {
        float[] y = _memory.Read(_rig.Y), dy = _memory.Read(_rig.DY), logSumExp = _memory.Read(_rig.LogSumExp);
        int length = DeltaRows.Length(_problem.Time), rows = _problem.Batch * _problem.Heads * length;
        var values = new float[Gradients.Scratch.Count];
        Array.Fill(values, float.NaN);
        for (int row = 0; row < rows; row++)
        {
            int time = row % length, pair = row / length, batch = pair / _problem.Heads, head = pair % _problem.Heads;
            (values[row], values[rows + row]) = (1e30f, 0);
            if (time < _problem.Time)
            {
                values[row] = logSumExp[pair * _problem.Time + time] / MathF.Log(2);
                int first = ((batch * _problem.Time + time) * _problem.Heads + head) * _problem.Depth;
                values[rows + row] = Enumerable.Range(first, _problem.Depth).Sum(i => y[i] * dy[i]);
            }
        }

        _memory.Write(Gradients.Scratch, values);
    }
}
