using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;
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

    public FlashRig(AttentionCase problem, DType type, bool isOne = false, PtxSchedule? schedule = null, bool seeksRaces = false, Func<string, string>? edit = null)
    {
        _problem = problem;
        _memory = new Memory(_backend);
        _rig = new AttentionRig(_backend, problem, type);
        _shape = new AttentionShape("attention", _rig.Args);
        Gradients = _rig.Gradients(FlashRun.ScratchBytes(isOne, _rig.Args));
        Visible visible = _rig.Args.Visible;
        Device = new FlashMachine([_rig.Q, _rig.K, _rig.V, _rig.Y, _rig.LogSumExp, _rig.DY, visible.Documents, visible.Prefixes], [_rig.DQ, _rig.DK, _rig.DV, Gradients.Scratch])
        {
            HasOneBackward = isOne,
            Schedule = schedule ?? new(),
            SeeksRaces = seeksRaces,
            Edit = edit,
        };
        Assert.That(FlashRun.Fits(Device, _shape, _rig.Args, Gradients));
    }

    public FlashMachine Device { get; }

    public AttentionGradients Gradients { get; set; }

    /// <summary>y, log-sum-exp, dq, dk, dv.</summary>
    public float[][] Run()
    {
        FlashRun.Forward(Device, _shape, _rig.Args);
        return Backward();
    }

    /// <summary>The same where the forward pass has run.</summary>
    public float[][] Backward()
    {
        Prepare();
        FlashRun.Backward(Device, _shape, _rig.Args, Gradients);
        _rig.AssertMargins();
        return _rig.Results();
    }

    public void Dispose()
    {
        Device.Dispose();
        _rig.Dispose();
        _memory.Dispose();
        _backend.Dispose();
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
