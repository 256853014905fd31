using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>
/// Up to two by two tiles of y with AMX: of the eight tiles four hold sums, two parts of a and two of b, so that four products need four loads. Sums leave through a buffer in the
/// first-level cache and get to y in vectors. Tiles are configured at the start and released at the end.
/// </summary>
internal static class TileProgram
{
    public const int Side = 16, Columns = 32, BufferBytes = 4096, ConfigurationBytes = 64;

    private const int FirstA = 4, FirstB = 6;
    private const int RowBytes = 64, TileBytes = Side * RowBytes, StripBytes = 2 * RowBytes;

    /// <summary>All eight tiles of 16 rows of 64 bytes.</summary>
    public static void Configure(Span<byte> configuration)
    {
        configuration.Clear();
        configuration[0] = 1;
        for (int tile = 0; tile < 8; tile++)
        {
            configuration[16 + 2 * tile] = RowBytes;
            configuration[48 + tile] = Side;
        }
    }

    /// <param name="w">Where it is written.</param>
    /// <param name="rows">1 or 2 tiles of rows.</param>
    /// <param name="columns">1 or 2 tiles of columns.</param>
    public static void Write(Assembler w, int rows, int columns)
    {
        int panel = w.Label(), step = w.Label(), plain = w.Label(), next = w.Label();
        w.Move(Register.R8, new Address(Register.Rcx, TileArguments.PanelsAt));
        w.Move(Register.R9, new Address(Register.Rcx, TileArguments.AAt));
        w.Move(Register.R11, new Address(Register.Rcx, TileArguments.YAt));
        w.Move(Register.Rax, new Address(Register.Rcx, TileArguments.ConfigurationAt));
        w.ConfigureTiles(Register.Rax);
        w.Move(Register.R10, RowBytes);

        w.Mark(panel);
        for (int i = 0; i < rows * columns; i++)
        {
            w.ZeroTile(i);
        }

        w.Move(Register.Rdx, new Address(Register.Rcx, TileArguments.BAt));
        w.Move(Register.Rax, new Address(Register.Rcx, TileArguments.StepsAt));
        w.Mark(step);
        Step(w, rows, columns);
        w.Subtract(Register.Rax, Side);
        w.Jump(Condition.NotZero, step);

        w.Move(Register.Rdx, new Address(Register.Rcx, TileArguments.BufferAt));
        for (int i = 0; i < rows * columns; i++)
        {
            w.StoreTile(new Address(Register.Rdx, i / columns * Side * StripBytes + i % columns * RowBytes, Register.R10, 2), i);
        }

        // a waits where it came from, for its register is needed.
        w.Move(new Address(Register.Rcx, TileArguments.AAt), Register.R9);
        w.Move(Register.R9, new Address(Register.Rcx, TileArguments.YRowAt));
        w.Vector(VectorInstruction.Broadcast, 0, new Address(Register.Rcx, TileArguments.AlphaAt));
        w.Move(Register.Rax, new Address(Register.Rcx, TileArguments.AccumulateAt));
        w.Compare(Register.Rax, 0);
        w.Move(Register.Rax, rows * Side);
        w.Jump(Condition.Zero, plain);
        Sums(w, columns, accumulate: true);
        w.Jump(next);
        w.Mark(plain);
        Sums(w, columns, accumulate: false);
        w.Mark(next);
        w.Move(Register.R9, new Address(Register.Rcx, TileArguments.AAt));
        w.Subtract(Register.R8, 1);
        w.Jump(Condition.NotZero, panel);
        w.ReleaseTiles();
        w.ClearUpper();
        w.Return();
    }

    private static void Step(Assembler w, int rows, int columns)
    {
        for (int i = 0; i < rows; i++)
        {
            w.LoadTile(FirstA + i, new Address(Register.R9, i * TileBytes, Register.R10));
        }

        for (int j = 0; j < columns; j++)
        {
            w.LoadTile(FirstB + j, new Address(Register.Rdx, j * RowBytes, Register.R10, 2));
        }

        for (int i = 0; i < rows * columns; i++)
        {
            w.DotPairTiles(i, FirstA + i / columns, FirstB + i % columns);
        }

        w.Add(Register.R9, rows * TileBytes);
        w.Add(Register.Rdx, Side * StripBytes);
    }

    // As many rows as rax says, from the buffer to y.
    private static void Sums(Assembler w, int columns, bool accumulate)
    {
        int row = w.Label();
        w.Mark(row);
        for (int j = 0; j < columns; j++)
        {
            var sum = new Address(Register.Rdx, j * RowBytes);
            var y = new Address(Register.R11, j * RowBytes);
            if (accumulate)
            {
                w.Vector(VectorInstruction.Load, 1, y);
                w.Vector(VectorInstruction.MultiplyAdd, 1, 0, sum);
            }
            else
            {
                w.Vector(VectorInstruction.Multiply, 1, 0, sum);
            }

            w.Vector(VectorInstruction.Store, 1, y);
        }

        w.Add(Register.Rdx, StripBytes);
        w.Add(Register.R11, Register.R9);
        w.Subtract(Register.Rax, 1);
        w.Jump(Condition.NotZero, row);
    }
}
