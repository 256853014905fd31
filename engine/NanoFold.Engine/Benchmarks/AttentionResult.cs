using NanoFold.Engine.Autograd;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Benchmarks;

/// <summary>A case and what its passes take, of the whole batch.</summary>
/// <param name="Case">Its shape.</param>
/// <param name="ForwardSeconds">Median of the forward pass.</param>
/// <param name="BackwardSeconds">What forward and backward take more than that, by medians.</param>
/// <param name="Bytes">q, k, v and their gradients; the result and its gradient, what is kept for the backward pass, scratch.</param>
public sealed record AttentionResult(AttentionCase Case, double ForwardSeconds, double BackwardSeconds, long Bytes)
{
    public double FlopsPerSecond => Case.Flops / (ForwardSeconds + BackwardSeconds);

    /// <summary>Time for a sequence over T²: constant where all pairs are visible and cost the same.</summary>
    public double SecondsPerSquare => (ForwardSeconds + BackwardSeconds) / Case.Batch / ((double)Case.Context * Case.Context);

    /// <summary>Memory for a token: constant where T × T is never held.</summary>
    public double BytesPerToken => (double)Bytes / ((long)Case.Batch * Case.Context);

    /// <summary>Times the backend's fused kernel, or in single precision what it is composed of without one: forward alone and both passes by turns.</summary>
    /// <param name="shape">What is computed.</param>
    /// <param name="backend">Where.</param>
    /// <param name="type">Of q, k, v and the result.</param>
    public static AttentionResult Measure(AttentionCase shape, Backend backend, DType type = DType.Float32)
    {
        if (backend.Find<AttentionCall>() is not { } kernel)
        {
            return MeasureComposed(shape, backend);
        }

        using var memory = new RandomTensors(backend, type);
        View Queries() => memory.New(shape.Batch, shape.Context, shape.Heads, shape.HeadDim);
        View Keys() => memory.New(shape.Batch, shape.Context, shape.KvHeads, shape.HeadDim);
        View q = Queries(), k = Keys(), v = Keys(), y = Queries(), dy = Queries(), dq = Queries(), dk = Keys(), dv = Keys();
        View logSumExp = memory.Single(shape.Batch, shape.Heads, shape.Context);
        IKernel<AttentionBackwardCall> backwardKernel = backend.Require<AttentionBackwardCall>();
        AttentionCall Forward() => new(new AttentionArgs
        {
            Q = q, K = k, V = v, Y = y, LogSumExp = logSumExp, Scale = 1 / Math.Sqrt(shape.HeadDim), Visible = new Visible { Kind = VisibleKind.Causal, Window = shape.Window },
        });
        AttentionBackwardCall Backward(in View scratch) => new(Forward().Args, new AttentionGradients { DY = dy, DQ = dq, DK = dk, DV = dv, Scratch = scratch });
        long scratchBytes = backwardKernel.ScratchBytes(Backward(default));
        View scratch = scratchBytes == 0 ? default : memory.Single(checked((int)((scratchBytes + 3) / sizeof(float))));
        void Both()
        {
            kernel.Run(Forward());
            backwardKernel.Run(Backward(scratch));
        }

        return Time(shape, backend, () => kernel.Run(Forward()), Both, memory.Bytes);
    }

    private static AttentionResult MeasureComposed(AttentionCase shape, Backend backend)
    {
        using ParameterStore store = shape.NewOperands(backend);
        using Plan forward = shape.Record(store, training: false), both = shape.Record(store, training: true);
        using DeviceBuffer arena = backend.Allocate(Math.Max(forward.ArenaBytes, both.ArenaBytes));
        forward.Bind(arena);
        both.Bind(arena);
        return Time(shape, backend, forward.Run, both.Run, both.ArenaBytes + ((store.Elements + store.TrainedElements) * sizeof(float)));
    }

    private static AttentionResult Time(AttentionCase shape, Backend backend, Action forward, Action both, long bytes)
    {
        double[] seconds = AlternatingTimer.Medians(backend, forward, both);
        // The clock's noise must not make a short backward pass negative.
        return new AttentionResult(shape, seconds[0], Math.Max(0, seconds[1] - seconds[0]), bytes);
    }

    /// <summary>Tensors of random numbers.</summary>
    private sealed class RandomTensors(Backend backend, DType type) : IDisposable
    {
        private readonly List<DeviceBuffer> _buffers = [];

        public long Bytes => _buffers.Sum(b => b.Bytes);

        public View New(params ReadOnlySpan<int> dims)
        {
            View view = Allocate(type, dims);
            var values = new float[view.Count];
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (Philox.Next((ulong)_buffers.Count, (ulong)i, 0).X0 >> 8) * (1f / (1 << 23)) - 1;
            }

            backend.Write(values, view);
            return view;
        }

        public View Single(params ReadOnlySpan<int> dims) => Allocate(DType.Float32, dims);

        public void Dispose() => _buffers.ForEach(b => b.Dispose());

        private View Allocate(DType of, ReadOnlySpan<int> dims)
        {
            Layout layout = Layout.Of(dims);
            _buffers.Add(backend.Allocate(layout.Count * of.Size()));
            return new View(_buffers[^1], 0, layout, of);
        }
    }
}
