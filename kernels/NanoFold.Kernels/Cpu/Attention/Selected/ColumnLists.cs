using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Selected;

/// <summary>
/// Lists turned around: for each block of keys the columns that see it, in ascending order. A column is a query of a part and one of the heads that share
/// a key head, numbered (query − first) · Group + head.
/// </summary>
internal readonly unsafe struct ColumnLists
{
    private readonly SelectedProblem _problem;
    private readonly int _batch, _firstHead, _first, _rows, _group;
    private readonly int* _starts, _columns;

    /// <param name="memory">As many bytes as <see cref="Bytes"/> says.</param>
    /// <param name="problem">Of the call.</param>
    /// <param name="batch">Row.</param>
    /// <param name="keyHead">Whose columns they are.</param>
    /// <param name="first">First query of the part.</param>
    /// <param name="rows">Queries of the part.</param>
    public ColumnLists(void* memory, in SelectedProblem problem, int batch, int keyHead, int first, int rows)
    {
        _problem = problem;
        _batch = batch;
        _firstHead = keyHead * problem.Group;
        _group = problem.Group;
        _first = first;
        _rows = rows;
        _starts = (int*)memory;
        _columns = _starts + problem.Blocks + 2;
        if (problem.Lists.IsNone)
        {
            All();
            return;
        }

        new Span<int>(_starts, problem.Blocks + 2).Clear();
        Walk(count: true);
        for (int block = 2; block < problem.Blocks + 2; block++)
        {
            _starts[block] += _starts[block - 1];
        }

        Walk(count: false);
    }

    /// <param name="problem">Of the call.</param>
    /// <param name="rows">Queries of a part at most.</param>
    public static long Bytes(in SelectedProblem problem, int rows)
        => (problem.Blocks + 2 + ((long)rows * problem.Group * Math.Min(problem.Most, problem.Blocks))) * sizeof(int);

    /// <summary>The columns that see a block.</summary>
    public ReadOnlySpan<int> Of(int block) => new(_columns + _starts[block], _starts[block + 1] - _starts[block]);

    public int Query(int column) => _first + (_group == 1 ? column : column / _group);

    public int Head(int column) => _firstHead + (_group == 1 ? 0 : column % _group);

    private void All()
    {
        _starts[0] = 0;
        _starts[1] = _rows * _group;
        for (int i = 0; i < _starts[1]; i++)
        {
            _columns[i] = i;
        }
    }

    // Counts lie one place ahead of where they are summed to, so that filling moves each start to where it belongs.
    private void Walk(bool count)
    {
        for (int i = 0; i < _rows; i++)
        {
            for (int h = 0; h < _group; h++)
            {
                KeyList list = _problem.Lists.Of(((long)_batch * _problem.Heads) + _firstHead + h, _first + i);
                for (int entry = 0; entry < list.Count; entry++)
                {
                    int block = list.Block(entry);
                    if (count)
                    {
                        _starts[block + 2]++;
                    }
                    else
                    {
                        _columns[_starts[block + 1]++] = (i * _group) + h;
                    }
                }
            }
        }
    }
}
