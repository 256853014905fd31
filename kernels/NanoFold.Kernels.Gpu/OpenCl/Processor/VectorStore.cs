namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>How kernels write sixteen floats. PoCL makes four stores of <c>vstore16</c>, after it has cut the vector apart; of an assignment to memory of any alignment it makes one.</summary>
internal static class VectorStore
{
    /// <summary>Declares <c>store16(v, p)</c>; p is in global memory.</summary>
    public const string Text = """
        #ifdef __clang__
        typedef float16 __attribute__((aligned(4))) loose16;
        #define store16(v, p) (*(global loose16*)(p) = (v))
        #else
        #define store16(v, p) vstore16(v, 0, p)
        #endif

        """;
}
