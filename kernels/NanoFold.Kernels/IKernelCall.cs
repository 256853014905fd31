using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels;

/// <summary>
/// The call of a fused kernel, describing itself: its views and numbers, what it asks of them and what it costs. A backend that has an
/// <see cref="IKernel{TCall}"/> for it runs it; profiles, dry runs and tests need nothing but what stands here. A small <c>readonly record struct</c>.
/// </summary>
/// <typeparam name="TSelf">The call itself.</typeparam>
public interface IKernelCall<TSelf>
    where TSelf : struct, IKernelCall<TSelf>
{
    /// <summary>As in <c>rms-norm-backward</c>: for profiles and messages.</summary>
    static abstract string Name { get; }

    /// <summary>Whether the op also has a path of plain ops. Backends that show composed paths only hide such kernels, and tests compare the two.</summary>
    static virtual bool HasComposedPath => false;

    /// <summary>FLOPs and bytes, from the views; see <see cref="Operands.Bytes"/>.</summary>
    KernelCost Cost { get; }

    /// <summary>What every backend asks of the views; a kernel begins with it.</summary>
    /// <exception cref="ArgumentException">A view does not fit; the message names the call, the operand, what was expected and what came.</exception>
    void Check();

    /// <summary>The same call with each of its views replaced by what <paramref name="visitor"/> makes of it. Views that are none are shown too.</summary>
    TSelf Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor;
}

/// <summary>A kernel of one device for one call. A class may be the kernel of several calls of a family.</summary>
/// <typeparam name="TCall">The call.</typeparam>
public interface IKernel<TCall> : IKernel
    where TCall : struct, IKernelCall<TCall>
{
    /// <summary>Checks the call and runs it. Allocates no managed memory.</summary>
    void Run(in TCall call);

    /// <summary>Makes the call ready to be done over and over, or null; see <see cref="Backend.PrepareMatMul"/>.</summary>
    PreparedCall? Prepare(in TCall call) => null;

    /// <summary>Bytes of scratch that the call needs. Asked with views that have layouts and no memory, see <see cref="View.OfShape"/>; the scratch itself is none.</summary>
    long ScratchBytes(in TCall shape) => 0;

    /// <summary>
    /// Bytes that a forward call would keep for its backward call where the caller has room to give, and that are worth their memory. What lies there only
    /// the kernels know. Asked like <see cref="ScratchBytes"/>.
    /// </summary>
    long KeptBytes(in TCall shape) => 0;
}

/// <summary>What a <see cref="KernelTable"/> holds: a class that is an <see cref="IKernel{TCall}"/> of one call or more.</summary>
#pragma warning disable CA1040 // It lets a list hold kernels of different calls.
public interface IKernel;
#pragma warning restore CA1040

/// <summary>What a call does with an operand.</summary>
public enum Access
{
    Read,

    /// <summary>Overwritten, wholly or in part.</summary>
    Write,

    /// <summary>Read and written: added to, or changed in place.</summary>
    Update,

    /// <summary>Room for what is of no use afterwards; does not count as bytes of a call.</summary>
    Scratch,
}

/// <summary>Sees, and may replace, the operands of a call.</summary>
public interface IOperandVisitor
{
    View Visit(string name, in View view, Access access);
}

/// <summary>What can be told of any call from its operands.</summary>
public static class Operands
{
    /// <summary>Access to a result: added to, or overwritten.</summary>
    public static Access Result(bool accumulate) => accumulate ? Access.Update : Access.Write;

    /// <summary>Bytes that a call moves at least: each operand read once, each result written once; scratch not.</summary>
    public static double Bytes<TCall>(in TCall call)
        where TCall : struct, IKernelCall<TCall>
    {
        var sum = default(ByteSum);
        call.Visit(ref sum);
        return sum.Bytes;
    }

    private struct ByteSum : IOperandVisitor
    {
        public double Bytes { get; private set; }

        public View Visit(string name, in View view, Access access)
        {
            Bytes += access == Access.Scratch ? 0 : KernelCost.BytesOf(view, access == Access.Update);
            return view;
        }
    }
}
