using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Generation.Batching;

/// <summary>Which place of a shared cache each row has; every place is some row's.</summary>
internal sealed class RowPlaces
{
    private readonly DecodeRow[] _all;
    private readonly int[] _places, _rows;
    private readonly Func<int, bool> _hasText;

    public RowPlaces(DecodeRow[] rows)
    {
        _all = rows;
        _places = [.. Enumerable.Range(0, rows.Length)];
        _rows = [.. _places];
        _hasText = row => !_all[row].IsIdle;
    }

    /// <summary>Rows with a text.</summary>
    public int Used
    {
        get
        {
            int used = 0;
            foreach (DecodeRow row in _all)
            {
                used += row.IsIdle ? 0 : 1;
            }

            return used;
        }
    }

    /// <summary>The place of a row.</summary>
    public int Of(int row) => _places[row];

    /// <summary>The row at a place.</summary>
    public int RowAt(int place) => _rows[place];

    /// <summary>Places up to the last one whose row is of some kind.</summary>
    public int Width(Func<int, bool> isOne)
    {
        int width = _rows.Length;
        while (width > 0 && !isOne(_rows[width - 1]))
        {
            width--;
        }

        return width;
    }

    /// <summary>Gives a row without a text the first place of such a one.</summary>
    public void TakeFirst(int row) => Swap(_places[row], FirstFree());

    /// <summary>Gives the rows with a text the first places: what is remembered of those that stand last goes where there is room below them.</summary>
    public void MoveTogether(DecodeCache cache)
    {
        int used = Used;
        for (int free = FirstFree(); free < used; free = FirstFree())
        {
            int last = Width(_hasText) - 1;
            cache.Copy(last, free, _all[_rows[last]].Position);
            Swap(last, free);
        }
    }

    private int FirstFree()
    {
        int place = 0;
        while (place < _rows.Length && _hasText(_rows[place]))
        {
            place++;
        }

        return place;
    }

    private void Swap(int place, int other)
    {
        (_rows[place], _rows[other]) = (_rows[other], _rows[place]);
        _places[_rows[place]] = place;
        _places[_rows[other]] = other;
    }
}
