//! Reports as their readers get them, made from records of runs that ended in different ways.

#[cfg(test)]
mod comparison;
#[cfg(test)]
mod junit;
#[cfg(test)]
mod markdown;
#[cfg(test)]
mod records;
#[cfg(test)]
mod run_report;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod write_report;
