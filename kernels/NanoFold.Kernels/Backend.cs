using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels;

/// <summary>
/// What a device must be able to do: enough to run every model. Faster, fused kernels are options found by <see cref="Find{TCall}"/>.
/// Views of one call have one real type T; <c>accumulate</c> adds to the output instead of overwriting it. No call allocates managed memory.
/// <para>
/// Where T has 16 bits, what sums over activations is <see cref="DType.Float32"/> (<see cref="DTypeExtensions.Sum"/>): y of <see cref="Sum"/>; if the
/// caller likes y of <see cref="MatMul"/> (then without bias and residual), y of <see cref="GroupedMatMul"/> and the table of <see cref="ScatterAdd"/>;
/// gradients of parameters and scratch that a fused kernel is given; statistics of norms; log-sum-exps, losses and their gradients; the router's load
/// and loss; and rope's table. <see cref="Copy"/> converts between any two of Float32, BFloat16 and Float16.
/// </para>
/// </summary>
public abstract class Backend : IDisposable
{
    /// <summary>Name for people: the device and its instruction set.</summary>
    public abstract string Name { get; }

    /// <summary>False where memory is only reckoned with, so that filling it would be for nothing.</summary>
    public virtual bool HoldsValues => true;

    /// <summary>Slots of what changes between the steps of a recording; the caller disposes it. What is left of them goes with the backend.</summary>
    public abstract StepState NewState();

    /// <summary>Whether calls may have views of this type. Without those of 16 bits a backend computes in single precision only.</summary>
    public virtual bool Supports(DType type) => true;

    /// <summary>
    /// Whether weights may have a type of files, of 16 bits or of blocks, where everything else is in single precision: b of <see cref="MatMul"/> and <see cref="GroupedMatMul"/> with
    /// <see cref="MatMulArgs.TransposeB"/>, the table of <see cref="Gather"/>, and x of <see cref="Copy"/> to a contiguous y of its shape. Results are those with widened weights, bit by bit, but for <see cref="RoundsActivations"/>.
    /// </summary>
    public virtual bool ReadsWeights(DType type) => false;

    /// <summary>A file as memory of the device, read where it is used; what is written is seen here only. Null where the device cannot. The caller disposes it.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public virtual DeviceBuffer? Map(string path) => null;

    /// <summary>Whether products may round to tf32, see <see cref="MatMulArgs.Rounding"/>.</summary>
    public virtual bool HasTensorFloat32 => false;

    /// <summary>Whether products may round operands of Float32 to bfloat16.</summary>
    public virtual bool RoundsToBFloat16 => false;

    /// <summary>
    /// Whether products of Float32 round their operands to bfloat16 though <see cref="MatMulArgs.Rounding"/> does not say so, where <see cref="RoundsToBFloat16"/>. Few rows are left as they
    /// are, for reading the weights is what takes time there.
    /// </summary>
    public virtual bool RoundsOperands { get; set; }

    /// <summary>Why products that round to bfloat16 are then computed as floats, in a few words; null where a unit of the device computes them.</summary>
    public virtual string? LacksBFloat16 => null;

    /// <summary>
    /// Whether it is worth beginning a gradient by its first part rather than by zeros to which that part is added: a pass over memory less, and another sign
    /// of some zeros.
    /// </summary>
    public virtual bool OverwritesGradients => false;

    /// <summary>
    /// Whether it is worth having matrices of one input that lie one after the other multiplied as one: results are then parts of wider rows, and sums over all
    /// columns add in another order.
    /// </summary>
    public virtual bool JoinsProducts => false;

    /// <summary>
    /// How many sequences lie one after the other in the rows of the calls that follow, each with as many of them. With more than one, the part of a result that
    /// belongs to a sequence has the bits that it has where the sequence is computed alone, so that what stands beside it makes no difference, as long as
    /// <see cref="KeepsSequencesApart"/>.
    /// </summary>
    public virtual int Sequences { get; set; } = 1;

    /// <summary>Whether <see cref="Sequences"/> is heeded; elsewhere the last bits of a row may depend on how many there are.</summary>
    public virtual bool KeepsSequencesApart => false;

    /// <summary>Whether <see cref="RoundsActivations"/> is heeded.</summary>
    public virtual bool CanRoundActivations => false;

    /// <summary>
    /// Whether activations are rounded to 8 bits where weights are blocks (<see cref="DTypeExtensions.IsBlocks"/>): a of <see cref="MatMul"/> and <see cref="GroupedMatMul"/>, in blocks of 32
    /// along K, each q · max |a| / 127 with integers q in [−127, 127]; a row with a value that is not finite gives NaN. Few rows are multiplied as integers, which is faster: the bits of a
    /// row are the same on every instruction set and whatever rows stand beside it. Many rows are multiplied as floats of the rounded values. All other calls are as without.
    /// </summary>
    public virtual bool RoundsActivations { get; set; }

    /// <summary>Whether <see cref="CacheType"/> may be this.</summary>
    public virtual bool CanCacheIn(DType type) => type == DType.Float32;

    /// <summary>Type of the keys and values that decoders keep from now on: Float32, or one of 16 bits, to which they are rounded. Mixers that choose among their keys keep Float32.</summary>
    public virtual DType CacheType { get; set; } = DType.Float32;

    /// <summary>Bytes of memory that can still be allocated, or null where the device does not say.</summary>
    public virtual long? FreeBytes => null;

    /// <summary>Waits until all that was called is done; calls of a GPU return before.</summary>
    public virtual void Synchronize()
    {
    }

    /// <summary>
    /// Makes the calls of <paramref name="calls"/> one piece of work without running them: on CUDA a graph, whose replay costs one launch for all.
    /// They must have run once before, and may not allocate, read back or set a state from the host. Null where the device has nothing of the kind.
    /// </summary>
    public virtual RecordedCalls? Capture(Action calls) => null;

    /// <summary>A clock of the device's work, for profiles; null where calls return when they are done, so that the host's clock will do.</summary>
    public virtual DeviceClock? NewClock() => null;

    /// <summary>The kernels compiled so far, where a device's compiler says what they take.</summary>
    public virtual IReadOnlyList<CompiledKernel> CompiledKernels => [];

    /// <summary>Zeroed memory of the device; the caller disposes it.</summary>
    public abstract DeviceBuffer Allocate(long bytes);

    /// <summary>Copies from the host into a contiguous view of as many elements.</summary>
    public abstract void Upload<T>(ReadOnlySpan<T> source, in View target)
        where T : unmanaged;

    /// <summary>Copies a contiguous view to the host; waits for what was launched before.</summary>
    public abstract void Download<T>(in View source, Span<T> target)
        where T : unmanaged;

    public abstract void Fill(in View y, double value);

    /// <summary>y = x for any strides, so also permute, concatenate (into a slice) and broadcast. x is broadcast to y, and converted to its type.</summary>
    public abstract void Copy(in View x, in View y, bool accumulate = false);

    /// <summary>y = op(x). A formula is internal or public, never private: a GPU compiles it.</summary>
    public abstract void Map<TOp>(TOp op, in View x, in View y, bool accumulate = false)
        where TOp : struct, IUnaryOp;

    /// <summary>y = op(a, b); a and b are broadcast to y.</summary>
    public abstract void Zip<TOp>(TOp op, in View a, in View b, in View y, bool accumulate = false)
        where TOp : struct, IBinaryOp;

    /// <summary>y = op(a, b, c); all are broadcast to y.</summary>
    public abstract void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulate = false)
        where TOp : struct, ITernaryOp;

    /// <summary>(y, z) = op(a, b, c), y and z of one shape; a, b and c are broadcast to it.</summary>
    public abstract void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z, bool accumulateZ)
        where TOp : struct, IPairOp;

    /// <summary>Sums x over the dimensions in which y, broadcast to x, has length 1: row sums, column sums, or the total. Order fixed by the shape.</summary>
    public abstract void Sum(in View x, in View y, bool accumulate = false);

    /// <summary>y = alpha · op(a) · op(b) (+ bias) (+ residual), plain or batched over equal leading dimensions.</summary>
    public abstract void MatMul(in MatMulArgs args);

    /// <summary>Products of which none reads or writes what another one writes: a device may do them at the same time. To the bits of one after the other.</summary>
    public virtual void MatMulTogether(ReadOnlySpan<MatMulArgs> products)
    {
        foreach (ref readonly MatMulArgs product in products)
        {
            MatMul(product);
        }
    }

    /// <summary>Whether it gains by being told of calls other than products that do not need each other, see <see cref="RunTogether"/>.</summary>
    public virtual bool RunsTogether => false;

    /// <summary>Makes calls of this backend of which none reads or writes what another one writes: a device may do them at the same time. To the bits of one after the other.</summary>
    public virtual void RunTogether(ReadOnlySpan<Action> calls)
    {
        foreach (Action call in calls)
        {
            call();
        }
    }

    /// <summary>
    /// Makes a call ready to be done over and over with the same operands, whose contents may change: it is checked and planned here, once. Null where that would
    /// save nothing worth having.
    /// </summary>
    public virtual PreparedCall? PrepareMatMul(in MatMulArgs args) => null;

    /// <inheritdoc cref="PrepareMatMul"/>
    public virtual PreparedCall? PrepareMap<TOp>(TOp op, in View x, in View y)
        where TOp : struct, IUnaryOp
        => null;

    /// <inheritdoc cref="PrepareMatMul"/>
    public virtual PreparedCall? PrepareZip<TOp>(TOp op, in View a, in View b, in View y)
        where TOp : struct, IBinaryOp
        => null;

    /// <inheritdoc cref="PrepareMatMul"/>
    public virtual PreparedCall? PrepareGather(in View table, in View ids, in View y) => null;

    /// <summary>
    /// Per group e the rows [offsets[e], offsets[e + 1]): y[rows] = a[rows] · op(b[e]), or with <see cref="GroupedMatMulArgs.PerGroupOutput"/> y[e] = a[rows]ᵀ · b[rows].
    /// </summary>
    public abstract void GroupedMatMul(in GroupedMatMulArgs args);

    /// <summary>y[i, :] = table[ids[i], :]; rows with id −1 become 0. table [V, C], ids [N], y [N, C].</summary>
    public abstract void Gather(in View table, in View ids, in View y, bool accumulate = false);

    /// <summary>table[ids[i], :] += x[i, :] in the order of i, skipping ids of −1; always accumulates.</summary>
    public abstract void ScatterAdd(in View x, in View ids, in View table);

    /// <summary>The k largest of each row with their indices, largest first; among equals the smaller index wins. x [N, C], values [N, k], indices [N, k].</summary>
    public abstract void TopK(in View x, in View values, in View indices);

    /// <summary>Updates parameters by an optimizer's formula of one element. A formula is internal or public, never private: a GPU compiles it.</summary>
    public abstract void Update<TFormula>(TFormula formula, in UpdateArgs args)
        where TFormula : struct, IUpdateFormula;

    /// <summary>Multiplies by 0 or 1/(1 − rate), the choice a pure function of (random key, step, micro-batch, stream, element), of which the state has the first three.</summary>
    public abstract void Dropout(StepState state, in View x, in View y, double rate, int stream, bool accumulate = false);

    /// <summary>Softmax of scale · x over the last dimension; x [.., T, S]. Entries that are not visible become 0; <c>default</c> sees all. The first dimension is the batch, those between it and T are heads.</summary>
    public abstract void Softmax(in View x, in View y, double scale, in Visible visible);

    /// <summary>dx = scale · y ⊙ (dy − Σ dy ⊙ y) by rows.</summary>
    public abstract void SoftmaxBackward(in View y, in View dy, in View dx, double scale, bool accumulate = false);

    /// <summary>The fused kernels that this backend has beyond the calls above; a kernel of your own is added here.</summary>
    public abstract KernelTable Kernels { get; }

    /// <summary>The kernel of a call, or null: then the op's composed path runs. To be asked for once, where an op is recorded.</summary>
    public virtual IKernel<TCall>? Find<TCall>()
        where TCall : struct, IKernelCall<TCall>
        => Kernels.Find<TCall>();

    /// <summary>The kernel of a call without which the engine cannot run an op.</summary>
    /// <exception cref="NotSupportedException">This backend has none.</exception>
    public IKernel<TCall> Require<TCall>()
        where TCall : struct, IKernelCall<TCall>
        => Find<TCall>() ?? throw new NotSupportedException($"{Name}: has no kernel {TCall.Name}");

    public abstract void Dispose();
}

/// <summary>A call with its operands, checked and planned once, see <see cref="Backend.PrepareMatMul"/>: what a model of few weights does for a token is mostly that otherwise.</summary>
public abstract class PreparedCall
{
    /// <summary>Does it, to the bits of the call that was made ready. What lies in its operands is looked at here. Allocates no managed memory.</summary>
    public abstract void Run();
}

/// <summary>Calls that a device keeps as one piece of work, see <see cref="Backend.Capture"/>.</summary>
public abstract class RecordedCalls : IDisposable
{
    /// <summary>Does all of it again, with what lies in its operands and in the state now.</summary>
    public abstract void Replay();

    public abstract void Dispose();
}
