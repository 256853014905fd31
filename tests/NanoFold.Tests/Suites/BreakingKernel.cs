using NanoFold.Kernels;

namespace NanoFold.Tests.Suites;

/// <summary>Asserts of a kernel, before each call, that it refuses the call with any one of its operands outside of its buffer.</summary>
internal sealed class BreakingKernel<TCall>(IKernel<TCall> kernel, HashSet<string> broken) : IKernel<TCall>
    where TCall : struct, IKernelCall<TCall>
{
    public void Run(in TCall call)
    {
        for (int i = 0; ; i++)
        {
            var visitor = new Breaking { Index = i };
            TCall wrong = call.Visit(ref visitor);
            if (visitor.Name is null)
            {
                break;
            }

            string? message = null;
            try
            {
                kernel.Run(wrong);
            }
            catch (ArgumentException e)
            {
                message = e.Message;
            }

            Assert.That(message, Does.StartWith($"{TCall.Name}: {visitor.Name} "));
            broken.Add(TCall.Name);
        }

        kernel.Run(call);
    }

    public long ScratchBytes(in TCall shape) => kernel.ScratchBytes(shape);

    public long KeptBytes(in TCall shape) => kernel.KeptBytes(shape);

    /// <summary>Moves one operand out of its buffer, of those that are there.</summary>
    private struct Breaking : IOperandVisitor
    {
        private int _seen;

        public required int Index { get; init; }

        public string? Name { get; private set; }

        public View Visit(string name, in View view, Access access)
        {
            if (view.IsNone || view.Count == 0 || _seen++ != Index)
            {
                return view;
            }

            Name = name;
            return new View(view.Buffer, view.Buffer.Bytes / view.Type.Size(), view.Layout, view.Type);
        }
    }
}

internal static class BreakingKernel
{
    /// <summary>Puts one before each kernel of a backend.</summary>
    /// <param name="backend">Whose kernels.</param>
    /// <param name="broken">Gets the names of the calls that were refused.</param>
    public static void AddAll(Backend backend, HashSet<string> broken)
    {
        foreach (Type call in KernelCalls.All)
        {
            object? kernel = typeof(Backend).GetMethod(nameof(Backend.Find))!.MakeGenericMethod(call).Invoke(backend, null);
            if (kernel is not null)
            {
                backend.Kernels.Add((IKernel)Activator.CreateInstance(typeof(BreakingKernel<>).MakeGenericType(call), kernel, broken)!);
            }
        }
    }
}
