using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>
/// Eight rows by one or two vectors of y with <c>vdpbf16ps</c>: for each pair along k an element of each row of a, spread over a vector, meets the vectors of b. Sums are in vectors 16 to
/// 31, all else in 0 to 5: those that a program may change on Linux and on Windows.
/// </summary>
internal static class PairProgram
{
    public const int Rows = 8, Columns = 32;

    private const int FirstSum = 16, FirstSpread = 2, Spreads = 4, Unrolled = 4;
    private const int VectorBytes = 64, AStep = Rows * sizeof(int), BStep = Columns * sizeof(int);

    /// <param name="w">Where it is written.</param>
    /// <param name="vectors">1 or 2 vectors of columns.</param>
    /// <param name="product">What is done with each step: another one makes the same program for floats.</param>
    public static void Write(Assembler w, int vectors, VectorInstruction product)
    {
        int panel = w.Label(), four = w.Label(), rest = w.Label(), one = w.Label(), write = w.Label(), plain = w.Label(), next = w.Label();
        w.Move(Register.R8, new Address(Register.Rcx, TileArguments.PanelsAt));
        w.Move(Register.R9, new Address(Register.Rcx, TileArguments.AAt));
        w.Move(Register.R10, new Address(Register.Rcx, TileArguments.YAt));
        w.Move(Register.R11, new Address(Register.Rcx, TileArguments.YRowAt));

        w.Mark(panel);
        Fetch(w);
        for (int sum = FirstSum; sum < FirstSum + Rows * vectors; sum++)
        {
            w.Vector(VectorInstruction.Xor, sum, sum, sum);
        }

        w.Move(Register.Rdx, new Address(Register.Rcx, TileArguments.BAt));
        w.Move(Register.Rax, new Address(Register.Rcx, TileArguments.StepsAt));
        w.Subtract(Register.Rax, Unrolled);
        w.Jump(Condition.Less, rest);
        w.Mark(four);
        for (int i = 0; i < Unrolled; i++)
        {
            Step(w, vectors, product, i);
        }

        w.Add(Register.R9, Unrolled * AStep);
        w.Add(Register.Rdx, Unrolled * BStep);
        w.Subtract(Register.Rax, Unrolled);
        w.Jump(Condition.NotLess, four);
        w.Mark(rest);
        w.Add(Register.Rax, Unrolled);
        w.Jump(Condition.Zero, write);
        w.Mark(one);
        Step(w, vectors, product, 0);
        w.Add(Register.R9, AStep);
        w.Add(Register.Rdx, BStep);
        w.Subtract(Register.Rax, 1);
        w.Jump(Condition.NotZero, one);

        w.Mark(write);
        w.Vector(VectorInstruction.Broadcast, 0, new Address(Register.Rcx, TileArguments.AlphaAt));
        w.Move(Register.Rax, new Address(Register.Rcx, TileArguments.AccumulateAt));
        w.Compare(Register.Rax, 0);
        w.Jump(Condition.Zero, plain);
        Sums(w, vectors, accumulate: true);
        w.Jump(next);
        w.Mark(plain);
        Sums(w, vectors, accumulate: false);
        w.Mark(next);
        w.Subtract(Register.R8, 1);
        w.Jump(Condition.NotZero, panel);
        w.ClearUpper();
        w.Return();
    }

    // Rows of y, so that the wait for them overlaps the sums.
    private static void Fetch(Assembler w)
    {
        w.Move(Register.Rdx, Register.R10);
        for (int row = 0; row < Rows; row++)
        {
            w.Prefetch(Register.Rdx);
            w.Prefetch(new Address(Register.Rdx, 2 * VectorBytes - 1));
            w.Add(Register.Rdx, Register.R11);
        }
    }

    private static void Step(Assembler w, int vectors, VectorInstruction product, int step)
    {
        for (int j = 0; j < vectors; j++)
        {
            w.Vector(VectorInstruction.Load, j, new Address(Register.Rdx, step * BStep + j * VectorBytes));
        }

        for (int row = 0; row < Rows; row++)
        {
            int spread = FirstSpread + row % Spreads;
            w.Vector(VectorInstruction.Broadcast, spread, new Address(Register.R9, step * AStep + row * sizeof(int)));
            for (int j = 0; j < vectors; j++)
            {
                w.Vector(product, FirstSum + row * vectors + j, j, spread);
            }
        }
    }

    private static void Sums(Assembler w, int vectors, bool accumulate)
    {
        for (int row = 0; row < Rows; row++)
        {
            for (int j = 0; j < vectors; j++)
            {
                int sum = FirstSum + row * vectors + j;
                var y = new Address(Register.R10, j * VectorBytes);
                if (accumulate)
                {
                    w.Vector(VectorInstruction.Load, 1, y);
                    w.Vector(VectorInstruction.MultiplyAdd, 1, sum, 0);
                    w.Vector(VectorInstruction.Store, 1, y);
                }
                else
                {
                    w.Vector(VectorInstruction.Multiply, sum, sum, 0);
                    w.Vector(VectorInstruction.Store, sum, y);
                }
            }

            w.Add(Register.R10, Register.R11);
        }
    }
}
