namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>What kernels that go through rows by sixteen floats share.</summary>
internal static class VectorRows
{
    private const string Body = """
        #if WHOLE
        #define LOAD(p, j) vload16(0, (p) + (j))
        #define STORE(v, p, j) store16(v, (p) + (j))
        #else
        // What is past a row's end is read as zeros and not written.
        #define LOAD(p, j) (j + 16 <= LENGTH ? vload16(0, (p) + (j)) : part(p, j, LENGTH))
        #define STORE(v, p, j) if (j + 16 <= LENGTH) store16(v, (p) + (j)); else put(v, p, j, LENGTH)
        #endif

        float16 part(global const float* p, int j, int length)
        {
            float t[16];
            for (int i = 0; i < 16; i++)
                t[i] = j + i < length ? p[j + i] : 0;
            return vload16(0, t);
        }

        void put(float16 v, global float* p, int j, int length)
        {
            float t[16];
            vstore16(v, 0, t);
            for (int i = 0; j + i < length; i++)
                p[j + i] = t[i];
        }

        float largest(float16 v)
        {
            float8 a = fmax(v.lo, v.hi);
            float4 b = fmax(a.lo, a.hi);
            float2 c = fmax(b.lo, b.hi);
            return fmax(c.x, c.y);
        }

        float total(float16 v)
        {
            float8 a = v.lo + v.hi;
            float4 b = a.lo + a.hi;
            float2 c = b.lo + b.hi;
            return c.x + c.y;
        }

        """;

    /// <param name="length">Of a row, as the kernels call it.</param>
    /// <param name="isWhole">Whether it is a multiple of sixteen.</param>
    public static string Text(string length, bool isWhole) => $"{VectorStore.Text}#define LENGTH {length}\n#define WHOLE {(isWhole ? 1 : 0)}\n{Body}";

    /// <summary>A function of sixteen floats.</summary>
    /// <param name="name">Its name there.</param>
    /// <param name="formula">What it is.</param>
    public static string Function(string name, Func<TextLane, TextLane> formula)
    {
        var text = new FormulaText(areNumbersOperands: false);
        string value = text.Name(formula(TextLane.Variable("x")));
        return $"float16 {name}(float16 x)\n{{\n{text.Lines}return {value};\n}}\n\n";
    }
}
